lithify build-block --state trap.wasm -o block.json
# 1
