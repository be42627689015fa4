lithify run math.wasm -- 1
# 2
