lithify verify trap.wasm trap.wasm
# 2
