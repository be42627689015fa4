lithify run trap.wasm core_version
# 1
