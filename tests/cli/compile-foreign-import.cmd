lithify compile foreign.wasm
# 1
