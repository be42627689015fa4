// Multiplies two matrices on as many goroutines as it is told, and says how many of them the system
// would let run at a time.
package main

import (
	"math/rand"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

func main() {
	threads, size := argument(1, 1), argument(2, 2000)
	println("TH", threads)
	println("runtime CPU", runtime.NumCPU())
	runtime.GOMAXPROCS(threads)
	println("GOMAXPROCS set to", threads, "(current value", strconv.Itoa(runtime.GOMAXPROCS(0))+")")

	random := rand.New(rand.NewSource(42))
	a, b := fill(random, size), fill(random, size)
	began := time.Now()
	c := multiply(a, b, threads)
	spent := time.Since(began)
	println("Multiplied")
	trace := 0
	for i := range c {
		trace += int(c[i][i])
	}
	println("trace", trace)
	if os.Getenv("TIMES") != "" {
		println("milliseconds", spent.Milliseconds())
	}
}

func argument(index, otherwise int) int {
	if len(os.Args) > index {
		if number, err := strconv.Atoi(os.Args[index]); err == nil && number > 0 {
			return number
		}
	}
	return otherwise
}

func fill(random *rand.Rand, size int) [][]int32 {
	matrix := make([][]int32, size)
	for i := range matrix {
		matrix[i] = make([]int32, size)
		for j := range matrix[i] {
			matrix[i][j] = random.Int31n(10)
		}
	}
	return matrix
}

// multiply gives each goroutine rows of the result.
func multiply(a, b [][]int32, threads int) [][]int32 {
	size := len(a)
	c := make([][]int32, size)
	var group sync.WaitGroup
	for thread := range threads {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := thread; i < size; i += threads {
				row := make([]int32, size)
				for k := range size {
					factor := a[i][k]
					for j, value := range b[k] {
						row[j] += factor * value
					}
				}
				c[i] = row
			}
		}()
	}
	group.Wait()
	return c
}
