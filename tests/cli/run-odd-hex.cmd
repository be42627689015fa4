lithify run trap.wasm go --input 0x123
# 2
