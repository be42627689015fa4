// Keeps as many numbers as it is told, waits, and shows what the runtime counts of memory, before and
// after.
package main

import (
	"os"
	"runtime"
	"strconv"
	"time"
)

var kept []int

func main() {
	numbers, seconds := argument(1, 900000), argument(2, 5)
	show("before:")
	kept = make([]int, numbers)
	for i := range kept {
		kept[i] = i
	}
	time.Sleep(time.Duration(seconds) * time.Second)
	show("after:")
	println("last:", kept[numbers-1])
}

func argument(index, otherwise int) int {
	if len(os.Args) > index {
		if number, err := strconv.Atoi(os.Args[index]); err == nil && number >= 0 {
			return number
		}
	}
	return otherwise
}

func show(what string) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	println(what, "memory", stats.Sys, "heap", stats.HeapSys, "idle", stats.HeapIdle,
		"in use", stats.HeapInuse, "allocated", stats.TotalAlloc,
		"mallocs", stats.Mallocs, "frees", stats.Frees)
}
