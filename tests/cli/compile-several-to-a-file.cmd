lithify compile trap.wasm simd.wasm -o one.so
# 2
