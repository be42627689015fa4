lithify compile simd.wasm
# 1
