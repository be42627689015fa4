// Reads a large file of donations, one a line, and counts its rows, its people, the most common of
// their first names, and the donations of each month.
package main

import (
	"bufio"
	"log"
	"os"
	"strings"
)

// Fields of a line, between bars.
const (
	nameField = 7
	dateField = 13
)

type result struct {
	numRows           int
	peopleCount       int
	commonName        string
	commonNameCount   int
	donationMonthFreq map[string]int
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("give the name of a file")
	}
	res := process(os.Args[1])
	println("rows:", res.numRows)
	println("people:", res.peopleCount)
	println("common name:", res.commonName, res.commonNameCount)
	for _, month := range [...]string{"01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12"} {
		println("month", month+":", res.donationMonthFreq[month])
	}
}

func process(file string) result {
	opened, err := os.Open(file)
	if err != nil {
		log.Fatal(err)
	}
	defer opened.Close()

	res := result{donationMonthFreq: make(map[string]int)}
	people := make(map[string]bool)
	firstNames := make(map[string]int)
	scanner := bufio.NewScanner(opened)
	for scanner.Scan() {
		name, month := processRow(scanner.Text())
		res.numRows++
		res.donationMonthFreq[month]++
		people[name] = true
		first := firstName(name)
		firstNames[first]++
		// Of names that are as common, the first of the alphabet.
		count := firstNames[first]
		if count > res.commonNameCount {
			res.commonName, res.commonNameCount = first, count
		}
	}
	if err := scanner.Err(); err != nil {
		log.Fatal(err)
	}
	for name, count := range firstNames {
		if count == res.commonNameCount && name < res.commonName {
			res.commonName = name
		}
	}
	res.peopleCount = len(people)
	return res
}

// processRow returns the person of a line, and the month of the donation.
func processRow(line string) (name, month string) {
	fields := strings.Split(line, "|")
	if len(fields) <= dateField || len(fields[dateField]) < 2 {
		log.Fatal("a line has no date: ", line)
	}
	return fields[nameField], fields[dateField][:2]
}

// firstName returns what stands behind the comma of "LAST, FIRST MIDDLE".
func firstName(name string) string {
	_, first, _ := strings.Cut(name, ", ")
	first, _, _ = strings.Cut(first, " ")
	return first
}
