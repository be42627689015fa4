lithify -q run math.wasm --invoke add -- 1 2
# 0
