lithify inspect missing.wasm --functions
# 0
