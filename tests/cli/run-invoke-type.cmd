lithify run math.wasm --invoke add -- 1 x
# 2
