lithify inspect nothing.json
# 1
