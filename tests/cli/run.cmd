lithify run trap.wasm Core_version --input 0x0102
# 0
