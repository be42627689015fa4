module lithify/programs

go 1.26
