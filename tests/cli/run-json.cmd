lithify run trap.wasm Core_version --json
# 0
