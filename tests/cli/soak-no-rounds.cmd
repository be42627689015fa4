lithify soak --rounds 0
# 2
