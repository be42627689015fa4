// Shortest paths between all pairs of vertices, over a graph that is known by its interface only.
package main

import "strconv"

// A Vertex is known by its number.
type Vertex int

// A Graph with directed edges that have weights.
type Graph interface {
	Vertices() []Vertex
	Neighbors(v Vertex) []Vertex
	Weight(u, v Vertex) int
}

// infinity is the distance where there is no path; twice of it is still a number.
const infinity = 1 << 29

func distances(g Graph) map[Vertex]map[Vertex]int {
	dist := make(map[Vertex]map[Vertex]int)
	for _, u := range g.Vertices() {
		dist[u] = make(map[Vertex]int)
		for _, v := range g.Vertices() {
			dist[u][v] = infinity
		}
		dist[u][u] = 0
		for _, v := range g.Neighbors(u) {
			dist[u][v] = g.Weight(u, v)
		}
	}
	for _, k := range g.Vertices() {
		for _, i := range g.Vertices() {
			for _, j := range g.Vertices() {
				if through := dist[i][k] + dist[k][j]; dist[i][j] > through {
					dist[i][j] = through
				}
			}
		}
	}
	return dist
}

type edge struct {
	to     Vertex
	weight int
}

// edges of each vertex; vertices have the numbers 1 to the length.
type edges [][]edge

func (g edges) Vertices() []Vertex {
	vertices := make([]Vertex, len(g))
	for i := range vertices {
		vertices[i] = Vertex(i + 1)
	}
	return vertices
}

func (g edges) Neighbors(v Vertex) []Vertex {
	var neighbors []Vertex
	for _, e := range g[v-1] {
		neighbors = append(neighbors, e.to)
	}
	return neighbors
}

func (g edges) Weight(u, v Vertex) int {
	for _, e := range g[u-1] {
		if e.to == v {
			return e.weight
		}
	}
	return infinity
}

func main() {
	var graph Graph = edges{
		{{3, -2}},
		{{1, 4}, {3, 3}},
		{{4, 2}},
		{{2, -1}},
	}
	dist := distances(graph)
	for _, u := range graph.Vertices() {
		for _, v := range graph.Vertices() {
			if u != v {
				path := strconv.Itoa(int(u)) + " -> " + strconv.Itoa(int(v))
				println(path + "  " + strconv.Itoa(dist[u][v]))
			}
		}
	}
}
