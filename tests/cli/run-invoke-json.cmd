lithify run math.wasm --invoke add --json -- 1 2
# 0
