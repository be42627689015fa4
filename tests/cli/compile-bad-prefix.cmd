lithify compile trap.wasm --emit obj --symbol-prefix 9
# 2
