lithify bench --engines v8
# 2
