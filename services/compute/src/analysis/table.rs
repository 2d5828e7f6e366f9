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

/// Rows of one object, and of one message of a stream at most: two keys of 512 bytes each stay below what an object may have.
const PIECE: usize = 50_000;
/// Bytes of one message of a stream, about; a client takes 4 MiB.
const PIECE_BYTES: usize = 2 << 20;

/// Values of nodes, or of pairs of nodes, by ordinal. Never changed.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Ascending; each once, where rows are no pairs.
    pub(crate) ordinals: Vec<u32>,
    /// Keys.
    pub(crate) nodes: Vec<Arc<str>>,
    /// The second nodes, where rows are pairs: as long as `ordinals`, or empty.
    pub(crate) others: Others,
    /// As long as `ordinals`, all of them; finite.
    pub(crate) columns: Vec<Vec<f64>>,
    by_value: OnceLock<Vec<u32>>,
    by_node: OnceLock<Vec<u32>>,
}

/// The second nodes of pairs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Others {
    pub(crate) ordinals: Vec<u32>,
    /// Keys.
    pub(crate) nodes: Vec<Arc<str>>,
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
    pub(crate) fn new(ordinals: Vec<u32>, nodes: Vec<Arc<str>>, columns: Vec<Vec<f64>>) -> Self {
        Self { ordinals, nodes, columns, ..Self::default() }
    }

    /// The same with a second node in each row.
    pub(crate) fn with(self, others: Others) -> Self {
        Self { others, ..self }
    }

    pub(crate) fn len(&self) -> usize {
        self.ordinals.len()
    }

    /// The end of the rows from `begin` on that are sent together: all rows of one ordinal are.
    pub(crate) fn end_of_piece(&self, begin: usize) -> usize {
        let (mut end, mut bytes) = (begin, 0);
        while end < self.len() && end - begin < PIECE && bytes < PIECE_BYTES {
            let other = self.others.nodes.get(end).map_or(0, |node| node.len() + 8);
            bytes += self.nodes[end].len() + 8 + other + 8 * self.columns.len();
            end += 1;
        }
        let Some(last) = end.checked_sub(1).map(|last| self.ordinals[last]) else { return end };
        self.ordinals.partition_point(|ordinal| *ordinal <= last)
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let keys: usize = self.nodes.iter().chain(&self.others.nodes).map(|node| node.len() + 16).sum();
        keys + self.len() * (4 + 8 + 8 * self.columns.len()) + self.others.ordinals.len() * 4
    }

    pub(crate) fn value(&self, row: usize) -> AnalysisValue {
        AnalysisValue {
            node: self.nodes[row].as_ref().to_owned(),
            ordinal: self.ordinals[row],
            values: self.columns.iter().map(|column| column[row]).collect(),
            other_node: self.others.nodes.get(row).map(|node| node.as_ref().to_owned()).unwrap_or_default(),
            other_ordinal: self.others.ordinals.get(row).copied(),
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
            rows.sort_unstable_by(|a, b| {
                self.nodes[*a as usize].cmp(&self.nodes[*b as usize]).then(a.cmp(b))
            });
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
        let keys = |nodes: &[Arc<str>]| {
            let wanted = if with_nodes { nodes.get(rows.clone()) } else { None };
            wanted.unwrap_or_default().iter().map(|node| node.as_ref().to_owned()).collect()
        };
        AnalysisColumns {
            ordinals: self.ordinals[rows.clone()].to_vec(),
            nodes: keys(&self.nodes),
            other_ordinals: self.others.ordinals.get(rows.clone()).unwrap_or_default().to_vec(),
            other_nodes: keys(&self.others.nodes),
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
            && piece.columns.iter().all(|column| column.values.len() == rows)
            && piece.other_nodes.len() == piece.other_ordinals.len()
            && (piece.other_nodes.is_empty() || piece.other_nodes.len() == rows);
        if !fits {
            return None;
        }
        self.ordinals.extend(piece.ordinals);
        self.nodes.extend(piece.nodes.into_iter().map(Arc::from));
        self.others.ordinals.extend(piece.other_ordinals);
        self.others.nodes.extend(piece.other_nodes.into_iter().map(Arc::from));
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

    #[test]
    fn all_rows_of_one_ordinal_are_in_one_piece() {
        let mut pairs = table(&vec![1.0; PIECE + 20]);
        for ordinal in &mut pairs.ordinals {
            *ordinal -= *ordinal % 70;
        }
        let end = pairs.end_of_piece(0);
        assert!(end > PIECE && end < PIECE + 7, "{end}");
        assert_ne!(pairs.ordinals[end - 1], pairs.ordinals[end]);
        assert_eq!(pairs.end_of_piece(end), pairs.len());
        assert_eq!(table(&[]).end_of_piece(0), 0);
        // Long keys make it shorter.
        let mut long = table(&vec![1.0; 10_000]);
        for node in &mut long.nodes {
            *node = "k".repeat(512).into();
        }
        let columns = long.piece(0..long.end_of_piece(0), true);
        assert!((1 << 20..3 << 20).contains(&columns.encoded_len()), "{}", columns.encoded_len());
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
            let others = Others {
                ordinals: kept.ordinals.iter().map(|ordinal| ordinal + 1).collect(),
                nodes: kept.nodes.iter().map(|node| format!("{node}'").into()).collect(),
            };
            let pairs = Arc::new(table(&kept.columns[0]).with(others));
            save(&objects, uid, &pairs).await.unwrap();
            assert_eq!(load(&objects, uid, rows).await.unwrap().unwrap().others, pairs.others);
        }
        assert!(load(&objects, uid, 2 * PIECE + 1).await.unwrap().is_none());
        delete(&objects, uid).await.unwrap();
        assert!(load(&objects, uid, 1).await.unwrap().is_none());
    }
}
