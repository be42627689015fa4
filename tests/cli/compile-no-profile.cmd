lithify compile math.wasm --profile broken.wat -o math.so
# 1
