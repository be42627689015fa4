lithify run math.wasm --invoke half -- 3
# 0
