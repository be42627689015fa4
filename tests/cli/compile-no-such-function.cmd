lithify compile trap.wasm --emit asm --function none
# 1
