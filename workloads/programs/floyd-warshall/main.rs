//! Shortest paths between all pairs of vertices, over a graph that is known by its trait only.

use std::collections::HashMap;

type Vertex = u32;

/// A graph with directed edges that have weights.
trait Graph {
    fn vertices(&self) -> Vec<Vertex>;
    fn neighbors(&self, v: Vertex) -> Vec<Vertex>;
    fn weight(&self, u: Vertex, v: Vertex) -> Option<i32>;
}

/// The distance where there is no path; twice of it is still a number.
const INFINITY: i32 = 1 << 29;

fn distances(graph: &dyn Graph) -> HashMap<(Vertex, Vertex), i32> {
    let vertices = graph.vertices();
    let mut dist = HashMap::new();
    for &u in &vertices {
        for &v in &vertices {
            dist.insert((u, v), if u == v { 0 } else { INFINITY });
        }
        for v in graph.neighbors(u) {
            dist.insert((u, v), graph.weight(u, v).unwrap_or(INFINITY));
        }
    }
    for &k in &vertices {
        for &i in &vertices {
            for &j in &vertices {
                let through = dist[&(i, k)] + dist[&(k, j)];
                if dist[&(i, j)] > through {
                    dist.insert((i, j), through);
                }
            }
        }
    }
    dist
}

/// Edges of each vertex; vertices have the numbers 1 to the length.
struct Edges(Vec<Vec<(Vertex, i32)>>);

impl Graph for Edges {
    fn vertices(&self) -> Vec<Vertex> {
        (1..=self.0.len() as Vertex).collect()
    }

    fn neighbors(&self, v: Vertex) -> Vec<Vertex> {
        self.0[v as usize - 1].iter().map(|edge| edge.0).collect()
    }

    fn weight(&self, u: Vertex, v: Vertex) -> Option<i32> {
        self.0[u as usize - 1].iter().find(|edge| edge.0 == v).map(|edge| edge.1)
    }
}

fn main() {
    let edges = Edges(vec![vec![(3, -2)], vec![(1, 4), (3, 3)], vec![(4, 2)], vec![(2, -1)]]);
    let graph: Box<dyn Graph> = Box::new(edges);
    let dist = distances(&*graph);
    for u in graph.vertices() {
        for v in graph.vertices().into_iter().filter(|v| *v != u) {
            println!("{u} -> {v}  {}", dist[&(u, v)]);
        }
    }
}
