lithify inspect trap.wasm --short
# 0
