lithify run program.wasm --signature-threads 1000
# 2
