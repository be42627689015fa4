lithify compile empty -o x.so
# 1
