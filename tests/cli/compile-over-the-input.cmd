lithify compile trap.wasm -o trap.wasm
# 2
