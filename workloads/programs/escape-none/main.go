// A local whose address no one keeps: it stays on the stack.
package main

func main() {
	println(pass())
}

//export pass
func pass() int {
	i := 11
	bar(&i)
	return i
}

//go:noinline
func bar(i *int) {
	*i += 0
}
