lithify compile trap.wasm --target mips
# 2
