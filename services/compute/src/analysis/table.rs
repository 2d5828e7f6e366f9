//! The values of an analysis: kept as objects `analyses/<uid>/<number>`, each some of the columns as the contract streams
//! them, and read whole.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;
use weft_proto::weft::compute::v1::{AnalysisColumn, AnalysisColumns, AnalysisValue};
use weft_store::{
    StoreError,
    objects::{MAX_OBJECT_BYTES, Objects},
};

/// Rows of one object, and of one message of a stream: keys of 512 bytes and eight columns stay below 64 MiB and, with
/// usual keys, below 4 MiB.
pub(crate) const PIECE: usize = 50_000;

/// Values of nodes, by ordinal. Never changed.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Ascending.
    pub(crate) ordinals: Vec<u32>,
    /// Keys.
    pub(crate) nodes: Vec<Box<str>>,
    /// As long as `ordinals`, all of them; finite.
    pub(crate) columns: Vec<Vec<f64>>,
    by_value: OnceLock<Vec<u32>>,
    by_node: OnceLock<Vec<u32>>,
}

/// What values are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Ordinal,
    /// Key.
    Node,
    /// First column, then ordinal, ascending whichever way.
    Value,
}

impl Table {
    pub(crate) fn new(ordinals: Vec<u32>, nodes: Vec<Box<str>>, columns: Vec<Vec<f64>>) -> Self {
        Self { ordinals, nodes, columns, ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.ordinals.len()
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let keys: usize = self.nodes.iter().map(|node| node.len() + 16).sum();
        keys + self.len() * (4 + 8 + 8 * self.columns.len())
    }

    pub(crate) fn value(&self, row: usize) -> AnalysisValue {
        AnalysisValue {
            node: self.nodes[row].clone().into(),
            ordinal: self.ordinals[row],
            values: self.columns.iter().map(|column| column[row]).collect(),
        }
    }

    /// `count` rows from place `from` in an order.
    pub(crate) fn page(&self, order: Order, descending: bool, from: usize, count: usize) -> Vec<usize> {
        let rows = self.len();
        let places = from.min(rows)..from.saturating_add(count).min(rows);
        let at = |place: usize| if descending { rows - 1 - place } else { place };
        match order {
            Order::Ordinal => places.map(at).collect(),
            Order::Node => places.map(|place| self.by_node()[at(place)] as usize).collect(),
            Order::Value if descending => places.map(|place| self.by_value()[place] as usize).collect(),
            Order::Value => self.ascending(places),
        }
    }

    fn by_node(&self) -> &[u32] {
        self.by_node.get_or_init(|| {
            let mut rows: Vec<u32> = (0..self.len() as u32).collect();
            rows.sort_unstable_by(|a, b| self.nodes[*a as usize].cmp(&self.nodes[*b as usize]));
            rows
        })
    }

    /// Largest first, of the same value the smallest ordinal.
    fn by_value(&self) -> &[u32] {
        self.by_value.get_or_init(|| {
            let values = &self.columns[0];
            let mut rows: Vec<u32> = (0..self.len() as u32).collect();
            rows.sort_unstable_by(|a, b| values[*b as usize].total_cmp(&values[*a as usize]).then(a.cmp(b)));
            rows
        })
    }

    /// Smallest first, of the same value the smallest ordinal too: the order from above, with each run of equal values
    /// turned round.
    fn ascending(&self, places: std::ops::Range<usize>) -> Vec<usize> {
        let (order, values) = (self.by_value(), &self.columns[0]);
        let value = |place: usize| values[order[place] as usize].to_bits();
        let rows = self.len();
        let (mut found, mut end) = (Vec::with_capacity(places.len()), rows);
        // From the end, run by run, until the places are filled.
        while end > 0 && rows - end < places.end {
            let of_end = value(end - 1);
            let begin = order[..end]
                .partition_point(|row| values[*row as usize].total_cmp(&f64::from_bits(of_end)).is_gt());
            for (at, row) in order[begin..end].iter().enumerate() {
                if places.contains(&(rows - end + at)) {
                    found.push(*row as usize);
                }
            }
            end = begin;
        }
        found
    }

    /// Some rows as a client or a store gets them.
    pub(crate) fn piece(&self, rows: std::ops::Range<usize>, with_nodes: bool) -> AnalysisColumns {
        let nodes = if with_nodes {
            self.nodes[rows.clone()].iter().map(|node| node.clone().into()).collect()
        } else {
            Vec::new()
        };
        AnalysisColumns {
            ordinals: self.ordinals[rows.clone()].to_vec(),
            nodes,
            columns: self
                .columns
                .iter()
                .map(|column| AnalysisColumn { values: column[rows.clone()].to_vec() })
                .collect(),
        }
    }

    fn pieces(&self) -> impl Iterator<Item = Bytes> + '_ {
        // One at least, so that a result without rows is told from a lost one.
        let starts = (0..self.len().max(1)).step_by(PIECE);
        starts.map(|start| {
            Bytes::from(self.piece(start..(start + PIECE).min(self.len()), true).encode_to_vec())
        })
    }

    /// Adds what a store gave back. `None` if it does not fit.
    fn add(&mut self, piece: AnalysisColumns) -> Option<()> {
        let rows = piece.ordinals.len();
        if self.columns.is_empty() {
            self.columns = vec![Vec::new(); piece.columns.len()];
        }
        let fits = piece.nodes.len() == rows
            && piece.columns.len() == self.columns.len()
            && piece.columns.iter().all(|column| column.values.len() == rows);
        if !fits {
            return None;
        }
        self.ordinals.extend(piece.ordinals);
        self.nodes.extend(piece.nodes.into_iter().map(String::into_boxed_str));
        for (column, more) in self.columns.iter_mut().zip(piece.columns) {
            column.extend(more.values);
        }
        Some(())
    }
}

/// Keeps the values of an analysis. One that is begun anew writes the same ones again.
pub(crate) async fn save(objects: &Objects, uid: Uuid, table: &Arc<Table>) -> Result<(), StoreError> {
    for (number, bytes) in table.pieces().enumerate() {
        objects.put(&key(uid, number), bytes).await?;
    }
    Ok(())
}

/// Reads so many rows; `None` if they are not there, or not whole.
pub(crate) async fn load(objects: &Objects, uid: Uuid, rows: usize) -> Result<Option<Table>, StoreError> {
    let mut table = Table::default();
    for number in 0..rows.max(1).div_ceil(PIECE) {
        let bytes = match objects.get(&key(uid, number), MAX_OBJECT_BYTES).await {
            Ok(bytes) => bytes,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Ok(piece) = AnalysisColumns::decode(bytes) else { return Ok(None) };
        if table.add(piece).is_none() {
            return Ok(None);
        }
    }
    Ok((table.len() == rows).then_some(table))
}

/// Forgets the values of an analysis.
pub(crate) async fn delete(objects: &Objects, uid: Uuid) -> Result<(), StoreError> {
    loop {
        let found = objects.list(&format!("analyses/{uid}"), "", 1_000).await?;
        if found.is_empty() {
            return Ok(());
        }
        for object in found {
            objects.delete(&object.key).await?;
        }
    }
}

fn key(uid: Uuid, number: usize) -> String {
    format!("analyses/{uid}/{number:06}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(values: &[f64]) -> Table {
        let nodes = (0..values.len()).rev().map(|at| format!("n{at:06}").into()).collect();
        Table::new((0..values.len() as u32).map(|at| at * 10).collect(), nodes, vec![values.to_vec()])
    }

    #[test]
    fn pages_of_every_order_follow_on_each_other() {
        let values = [2.0, 1.0, 2.0, 0.5, 1.0, 2.0, -1.0];
        let table = table(&values);
        let mut ascending: Vec<usize> = (0..values.len()).collect();
        ascending.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
        let mut descending: Vec<usize> = (0..values.len()).collect();
        descending.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
        for size in 1..=values.len() + 1 {
            let all = |order, down| -> Vec<usize> {
                (0..values.len()).step_by(size).flat_map(|from| table.page(order, down, from, size)).collect()
            };
            assert_eq!(all(Order::Value, true), descending);
            assert_eq!(all(Order::Value, false), ascending);
            assert_eq!(all(Order::Ordinal, false), (0..values.len()).collect::<Vec<_>>());
            assert_eq!(all(Order::Node, false), (0..values.len()).rev().collect::<Vec<_>>());
            assert_eq!(all(Order::Node, true), (0..values.len()).collect::<Vec<_>>());
        }
        assert!(table.page(Order::Value, false, usize::MAX, 5).is_empty());
    }

    #[tokio::test]
    async fn values_come_back_as_they_were_kept() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::open(&format!("file://{}", folder.path().display()), None).unwrap();
        let uid = Uuid::from_u128(7);
        for rows in [0, 1, PIECE, PIECE + 1] {
            let kept = Arc::new(table(&(0..rows).map(|at| at as f64).collect::<Vec<_>>()));
            save(&objects, uid, &kept).await.unwrap();
            let found = load(&objects, uid, rows).await.unwrap().unwrap();
            assert_eq!(
                (&found.ordinals, &found.nodes, &found.columns),
                (&kept.ordinals, &kept.nodes, &kept.columns)
            );
        }
        assert!(load(&objects, uid, 2 * PIECE + 1).await.unwrap().is_none());
        delete(&objects, uid).await.unwrap();
        assert!(load(&objects, uid, 1).await.unwrap().is_none());
    }
}
