lithify compile trap.wasm --emit asm --debug-info
# 2
