lithify complie
# 2
