//! A graph from a file of edges.

use crate::graphs::{Graph, link};

/// Reads a line `from<TAB>to` (and more columns, which are passed over) for each edge, numbers from 0.
pub(crate) fn read(text: &str) -> Result<Graph, Box<dyn std::error::Error>> {
    let mut edges = Vec::new();
    let mut last = 0;
    for line in text.lines() {
        let mut columns = line.split('\t');
        let mut number = || columns.next().ok_or("a line without a tab").map(str::trim);
        let edge = link(number()?.parse()?, number()?.parse()?);
        last = last.max(edge.source).max(edge.target);
        edges.push(edge);
    }
    Ok(Graph { nodes: (0..=last).collect(), edges })
}
