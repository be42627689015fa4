// Makes garbage, and times one cycle of the collector: a slice of n bytes, appended to n times, with
// each result dropped.
package main

import (
	"os"
	"runtime"
	"strconv"
	"time"
)

var dropped []byte

func main() {
	n := 10000
	if len(os.Args) > 1 {
		if number, err := strconv.Atoi(os.Args[1]); err == nil && number > 0 {
			n = number
		}
	}
	escapesToHeap(n)
	println("made", n, "slices")
	if os.Getenv("TIMES") == "" {
		runtime.GC()
		return
	}
	began := time.Now()
	runtime.GC()
	println("one cycle:", time.Since(began).Nanoseconds(), "ns")
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	println("allocated:", stats.Mallocs, "freed:", stats.Frees)
}

func escapesToHeap(n int) {
	bytes := make([]byte, n)
	for range n {
		dropped = append(bytes, 1)
	}
	dropped = nil
}
