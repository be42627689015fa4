lithify compile -
# 2
