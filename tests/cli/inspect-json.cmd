lithify inspect missing.wasm --functions --json
# 0
