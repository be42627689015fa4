lithify inspect long.wat
# 1
