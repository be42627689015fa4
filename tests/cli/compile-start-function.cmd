lithify compile start.wasm
# 1
