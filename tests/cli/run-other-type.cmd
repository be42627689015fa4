lithify run trap.wasm add
# 1
