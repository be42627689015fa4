lithify engines
# 0
