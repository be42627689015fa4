lithify run trap.wasm
# 2
