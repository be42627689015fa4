lithify run math.wasm --invoke for_ever --timeout 100ms
# 124
