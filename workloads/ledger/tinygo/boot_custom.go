//go:build tinygo && gc.custom

package main

import _ "lithify/collector"

//export _initialize
func initialize()

var booted bool

func boot() {
	if !booted {
		booted = true
		initialize()
	}
}
