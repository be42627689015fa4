lithify bench --report empty
# 1
