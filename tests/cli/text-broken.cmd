lithify check broken.wat
# 2
