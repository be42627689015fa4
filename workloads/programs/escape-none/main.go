// A local whose value its function returns: nothing is allocated.
package main

func main() {
	println(pass())
}

//export pass
func pass() int {
	return len(leaf())
}

//go:noinline
func leaf() string {
	text := "hello"
	return text
}
