lithify inspect image.wat
# 1
