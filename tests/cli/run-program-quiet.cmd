lithify run program.wasm
# 1
