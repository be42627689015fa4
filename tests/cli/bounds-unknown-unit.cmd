lithify compile trap.wasm --max-memory 4X
# 2
