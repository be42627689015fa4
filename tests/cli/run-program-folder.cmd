lithify run program.wasm --dir missing
# 1
