lithify run math.wasm --invoke sub
# 1
