// Writes three DNA sequences of the Benchmarks Game's fasta: one repeats a text, two are drawn by a
// generator of random numbers through a table of all of its values.
package main

import (
	"os"
	"strconv"
)

const (
	lineLength = 60
	// Lines in one write.
	lines = 100

	modulus    = 139968
	multiplier = 3877
	increment  = 29573
	seed       = 42
)

const alu = "GGCCGGGCGCGGTGGCTCACGCCTGTAATCCCAGCACTTTGG" +
	"GAGGCCGAGGCGGGCGGATCACCTGAGGTCAGGAGTTCGAGA" +
	"CCAGCCTGGCCAACATGGTGAAACCCCGTCTCTACTAAAAAT" +
	"ACAAAAATTAGCCGGGCGTGGTGGCGCGCGCCTGTAATCCCA" +
	"GCTACTCGGGAGGCTGAGGCAGGAGAATCGCTTGAACCCGGG" +
	"AGGCGGAGGTTGCAGTGAGCCGAGATCGCGCCACTGCACTCC" +
	"AGCCTGGGCGACAGAGCGAGACTCCGTCTCAAAAA"

type letter struct {
	char        byte
	probability float64
}

var iub = [15]letter{
	{'a', 0.27}, {'c', 0.12}, {'g', 0.12}, {'t', 0.27}, {'B', 0.02},
	{'D', 0.02}, {'H', 0.02}, {'K', 0.02}, {'M', 0.02}, {'N', 0.02},
	{'R', 0.02}, {'S', 0.02}, {'V', 0.02}, {'W', 0.02}, {'Y', 0.02},
}

var homoSapiens = [4]letter{
	{'a', 0.3029549426680}, {'c', 0.1979883004921},
	{'g', 0.1975473066391}, {'t', 0.3015094502008},
}

var (
	last   uint32 = seed
	lookup [modulus]byte
	buffer [lines * (lineLength + 1)]byte
	// Whole lines of the repeated text, until they begin at its first letter again.
	repeated [len(alu) * (lineLength + 1)]byte
)

func main() {
	n := 1000
	if len(os.Args) > 1 {
		if number, err := strconv.Atoi(os.Args[1]); err == nil {
			n = number
		}
	}
	repeat("ONE Homo sapiens alu", 2*n)
	random("TWO IUB ambiguity codes", iub[:], 3*n)
	random("THREE Homo sapiens frequency", homoSapiens[:], 5*n)
}

func write(bytes []byte) {
	if _, err := os.Stdout.Write(bytes); err != nil {
		os.Exit(1)
	}
}

func header(title string) {
	write([]byte(">" + title + "\n"))
}

func repeat(title string, count int) {
	header(title)
	at := 0
	for i := range len(repeated) {
		if i%(lineLength+1) == lineLength {
			repeated[i] = '\n'
		} else {
			repeated[i] = alu[at%len(alu)]
			at++
		}
	}
	send(repeated[:], count, func([]byte) {})
}

func random(title string, letters []letter, count int) {
	header(title)
	fillLookup(letters)
	send(buffer[:], count, func(line []byte) {
		for i := range line {
			last = (last*multiplier + increment) % modulus
			line[i] = lookup[last]
		}
	})
}

// fillLookup gives each value of the generator its letter.
func fillLookup(letters []letter) {
	at, sum := 0, letters[0].probability
	for value := range modulus {
		for at < len(letters)-1 && float64(value)/modulus >= sum {
			at++
			sum += letters[at].probability
		}
		lookup[value] = letters[at].char
	}
}

// send writes count letters in lines, a whole buffer at a time, after fill has made each line.
func send(buffer []byte, count int, fill func(line []byte)) {
	for count > 0 {
		length := 0
		for length < len(buffer) && count > 0 {
			letters := min(count, lineLength)
			fill(buffer[length : length+letters])
			buffer[length+letters] = '\n'
			length += letters + 1
			count -= letters
		}
		write(buffer[:length])
	}
}
