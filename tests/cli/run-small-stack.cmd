lithify run trap.wasm go --stack-size 1K
# 2
