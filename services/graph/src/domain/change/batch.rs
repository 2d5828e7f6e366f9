//! How is a revision written into the journal? As `ChangeBatch` messages of less than 1 MiB.

use bytes::Bytes;
use prost::{
    Message,
    encoding::{encoded_len_varint, message},
};
use prost_types::Timestamp;
use weft_proto::weft::graph::v1::{Change, ChangeBatch, Graph};

/// A part is closed before it grows past this; one element has at most about 600 KiB.
pub const PART_BYTES: usize = 400 << 10;

/// What all parts of a revision say.
#[derive(Clone, Debug, Default)]
pub struct BatchHeader {
    /// The revision.
    pub revision: i64,
    /// When it was accepted.
    pub commit_time: Option<Timestamp>,
    /// Who made it.
    pub actor: String,
    /// The graph's own fields, if the revision changed them.
    pub graph: Option<Graph>,
}

/// Encodes a revision. There is at least one part.
pub fn batch_parts(header: &BatchHeader, changes: &[Change]) -> Vec<Bytes> {
    const CHANGES_TAG: u32 = 4;
    let mut parts = Vec::new();
    let mut body = Vec::new();
    let close = |body: &mut Vec<u8>, part: usize, last_part: bool| {
        // The order of fields in an encoded message is free: the changes first, then the rest.
        let rest = ChangeBatch {
            revision: header.revision,
            part: part as i32,
            last_part,
            changes: Vec::new(),
            graph: if last_part { header.graph.clone() } else { None },
            commit_time: header.commit_time,
            actor: header.actor.clone(),
        };
        let mut encoded = std::mem::take(body);
        rest.encode(&mut encoded).expect("a vector grows");
        Bytes::from(encoded)
    };
    for change in changes {
        let length = change.encoded_len();
        if !body.is_empty() && body.len() + length + 1 + encoded_len_varint(length as u64) > PART_BYTES {
            parts.push(close(&mut body, parts.len(), false));
        }
        if body.is_empty() {
            body.reserve(length.max(PART_BYTES.min(changes.len() * 64)));
        }
        message::encode(CHANGES_TAG, change, &mut body);
    }
    parts.push(close(&mut body, parts.len(), true));
    parts
}

#[cfg(test)]
mod tests {
    use weft_proto::weft::graph::v1::{Node, NodeUpsert, change};

    use super::*;

    #[test]
    fn a_large_revision_is_cut_and_nothing_is_lost() {
        let changes: Vec<Change> = (0..3_000)
            .map(|index| {
                let node =
                    Node { key: format!("{index}"), display_name: "x".repeat(1000), ..Node::default() };
                let upsert = NodeUpsert { node: Some(node), update_mask: None };
                Change { change: Some(change::Change::UpsertNode(upsert)) }
            })
            .collect();
        let header =
            BatchHeader { revision: 7, actor: "projects/p/apiKeys/k".into(), ..BatchHeader::default() };
        let parts = batch_parts(&header, &changes);
        assert!(parts.len() > 5);
        let mut read = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            assert!(part.len() <= PART_BYTES + 1024);
            let batch = ChangeBatch::decode(part.as_ref()).expect("it was just encoded");
            assert_eq!((batch.revision, batch.part as usize), (7, index));
            assert_eq!(batch.last_part, index + 1 == parts.len());
            read.extend(batch.changes);
        }
        assert_eq!(read, changes);
    }

    #[test]
    fn a_revision_without_changes_has_one_part() {
        let header = BatchHeader { revision: 2, graph: Some(Graph::default()), ..BatchHeader::default() };
        let parts = batch_parts(&header, &[]);
        let batch = ChangeBatch::decode(parts[0].as_ref()).expect("it was just encoded");
        assert_eq!((parts.len(), batch.last_part, batch.graph), (1, true, Some(Graph::default())));
    }
}
