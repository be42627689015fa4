// A local whose address a global keeps: it is allocated.
package main

var kept *int

func main() {
	println(keep())
}

//export keep
func keep() int {
	i := 11
	kept = &i
	return *kept
}
