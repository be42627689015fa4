lithify check missing.wasm
# 1
