lithify run reactor.wasm --invoke f --json
# 9
