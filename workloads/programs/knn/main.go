// Tells irises apart by the eight nearest neighbours of each: half of the rows train, the other half
// is asked, and the share that comes out right is printed.
//
// What the idea leaves open is settled so: neighbours at the same distance are taken in the order of
// their rows, and of labels with the same number of votes the one of the nearest neighbour wins.
package main

import (
	"encoding/csv"
	"math"
	"os"
	"sort"
	"strconv"
)

const file = "iris.csv"

// A KNN knows rows XX with their labels Y, and asks k of them.
type KNN struct {
	k  int
	XX [][]float64
	Y  []string
}

type neighbour struct {
	distance float64
	index    int
}

func distance(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(sum)
}

func (knn *KNN) predict(row []float64) string {
	neighbours := make([]neighbour, len(knn.XX))
	for i, known := range knn.XX {
		neighbours[i] = neighbour{distance(row, known), i}
	}
	sort.Slice(neighbours, func(i, j int) bool {
		a, b := neighbours[i], neighbours[j]
		return a.distance < b.distance || a.distance == b.distance && a.index < b.index
	})
	votes := make(map[string]int)
	most := 0
	for _, near := range neighbours[:knn.k] {
		label := knn.Y[near.index]
		votes[label]++
		most = max(most, votes[label])
	}
	for _, near := range neighbours[:knn.k] {
		if label := knn.Y[near.index]; votes[label] == most {
			return label
		}
	}
	return ""
}

func main() {
	rows, labels := read()
	knn := KNN{k: 8}
	for i := 0; i < len(rows); i += 2 {
		knn.XX = append(knn.XX, rows[i])
		knn.Y = append(knn.Y, labels[i])
	}
	asked, right := 0, 0
	for i := 1; i < len(rows); i += 2 {
		asked++
		if knn.predict(rows[i]) == labels[i] {
			right++
		}
	}
	println(strconv.FormatFloat(float64(right)/float64(asked), 'f', 6, 64))
}

// read returns the numbers of each row, and the label behind them.
func read() (rows [][]float64, labels []string) {
	opened, err := os.Open(file)
	if err != nil {
		fail(err)
	}
	defer opened.Close()
	records, err := csv.NewReader(opened).ReadAll()
	if err != nil {
		fail(err)
	}
	for _, record := range records[1:] {
		row := make([]float64, len(record)-1)
		for i := range row {
			if row[i], err = strconv.ParseFloat(record[i], 64); err != nil {
				fail(err)
			}
		}
		rows = append(rows, row)
		labels = append(labels, record[len(row)])
	}
	return rows, labels
}

func fail(err error) {
	println(err.Error())
	os.Exit(1)
}
