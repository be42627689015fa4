module lithify/collector

go 1.26
