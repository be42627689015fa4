lithify wast wrong.wast
# 1
