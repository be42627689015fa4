lithify run trap.wasm go
# 134
