lithify compile trap.wasm --emit header --export go -o -
# 0
