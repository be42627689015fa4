lithify run reactor.wasm --invoke f
# 9
