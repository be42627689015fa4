module lithify/ledger

go 1.26

require lithify/collector v0.0.0

replace lithify/collector => ../collector
