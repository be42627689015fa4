lithify run missing.wasm go
# 1
