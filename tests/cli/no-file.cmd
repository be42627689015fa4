lithify compile no-such-file.wasm
# 1
