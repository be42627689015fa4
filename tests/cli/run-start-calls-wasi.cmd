lithify run begins.wasm
# 134
