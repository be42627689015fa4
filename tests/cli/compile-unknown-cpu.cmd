lithify compile trap.wasm --cpu x86-64-v4
# 2
