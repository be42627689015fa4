lithify compile trap.wasm -o no/such/x.so
# 1
