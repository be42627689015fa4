// A local whose address its function returns: it is allocated, 8 bytes for the address and the length of
// a text.
package main

func main() {
	println(keep())
}

//export keep
func keep() int {
	return len(*leaf())
}

//go:noinline
func leaf() *string {
	text := "hello"
	return &text
}
