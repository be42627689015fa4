lithify compare trap.wasm trap.wasm --engine v8
# 2
