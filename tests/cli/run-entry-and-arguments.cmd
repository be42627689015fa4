lithify run program.wasm Core_version -- 1
# 2
