lithify run math.wasm --invoke add -- 1
# 2
