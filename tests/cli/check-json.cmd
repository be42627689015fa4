lithify check missing.wasm --json
# 1
