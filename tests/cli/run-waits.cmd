lithify run sleeper.wasm --timeout 300ms
# 124
