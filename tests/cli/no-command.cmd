lithify
# 2
