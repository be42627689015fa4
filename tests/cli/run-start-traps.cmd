lithify run ends.wasm
# 134
