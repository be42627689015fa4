// Sorts ten integers: the smallest program of the study, in which starting is all that there is.
package main

func main() {
	list := []int{31, 41, 59, 26, 53, 58, 97, 93, 23, 84}
	show("unsorted:", list)
	quicksort(list)
	show("sorted:", list)
}

func quicksort(list []int) {
	if len(list) < 2 {
		return
	}
	pivot := list[len(list)/2]
	left, right := 0, len(list)-1
	for left <= right {
		switch {
		case list[left] < pivot:
			left++
		case list[right] > pivot:
			right--
		default:
			list[left], list[right] = list[right], list[left]
			left++
			right--
		}
	}
	quicksort(list[:right+1])
	quicksort(list[left:])
}

func show(what string, list []int) {
	print(what)
	for _, number := range list {
		print(" ", number)
	}
	println()
}
