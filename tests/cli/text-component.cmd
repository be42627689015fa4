lithify inspect component.wat
# 1
