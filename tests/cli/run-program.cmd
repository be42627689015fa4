lithify run program.wasm -- one two
# 3
