// An object that is larger than what a stack may hold: 20 000 numbers of 4 bytes.
package main

func main() {
	println(sum())
}

//export sum
func sum() int32 {
	var numbers [20000]int32
	for i := range numbers {
		numbers[i] = int32(i % 7)
	}
	return total(&numbers)
}

//go:noinline
func total(numbers *[20000]int32) (total int32) {
	for _, number := range numbers {
		total += number
	}
	return total
}
