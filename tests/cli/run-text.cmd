lithify run math.wat --invoke add -- 1 -2
# 0
