//! Those who write while the program is killed: they remember what was acknowledged, and repeat what was not.

use std::{collections::BTreeMap, fmt::Write, sync::Arc};

use tokio::sync::Notify;
use tonic::{Code, Status};
use weft_proto::weft::graph::v1::{ApplyChangesRequest, ImportBegin, Node};
use weft_tests::{
    client::Client,
    graphs::{self, edge, put_node},
};

/// Nodes of one batch of changes.
pub(crate) const BATCH: usize = 5;
/// Nodes of one import.
pub(crate) const IMPORT: usize = 400;

/// What a writer writes at once: all of it or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A batch of changes.
    Batch,
    /// An import of files.
    Import,
}

impl Kind {
    /// How many nodes belong together.
    pub(crate) fn nodes(self) -> usize {
        match self {
            Self::Batch => BATCH,
            Self::Import => IMPORT,
        }
    }
}

/// One writer. Its nodes are called `TAG.INDEX`, and those of one tag belong together.
#[derive(Debug)]
pub(crate) struct Writer {
    graph: String,
    id: usize,
    kind: Kind,
    /// Number of the write that is not acknowledged yet.
    next: usize,
    /// Revision by tag, of all that was acknowledged.
    pub(crate) acknowledged: BTreeMap<String, i64>,
}

impl Writer {
    pub(crate) fn new(graph: &str, id: usize, kind: Kind) -> Self {
        Self { graph: graph.into(), id, kind, next: 0, acknowledged: BTreeMap::new() }
    }

    /// What it writes.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Writes until the program is gone. `first` is told of every acknowledgement.
    pub(crate) async fn write(mut self, client: Client, first: Arc<Notify>) -> Self {
        loop {
            match self.write_next(&client).await {
                Ok(()) => first.notify_one(),
                Err(status) => {
                    let gone = matches!(
                        status.code(),
                        Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled
                    );
                    assert!(gone, "refused, and not because the program is gone: {status:?}");
                    return self;
                }
            }
        }
    }

    /// The next write, or once more the one whose answer never came.
    pub(crate) async fn write_next(&mut self, client: &Client) -> Result<(), Status> {
        let tag = format!("w{}-{}", self.id, self.next);
        let request_id = format!("00000000-0000-4000-8000-{:04x}{:08x}", self.id, self.next);
        let revision = match self.kind {
            Kind::Batch => {
                client.graphs().apply_changes(self.batch(&tag, request_id)).await?.into_inner().revision
            }
            Kind::Import => {
                let begin = ImportBegin { graph: self.graph.clone(), request_id, ..ImportBegin::default() };
                let mut file = String::new();
                for index in 1..IMPORT {
                    writeln!(file, "{tag}.{}\t{tag}.{index}", index - 1).expect("a string grows");
                }
                let messages = graphs::import_messages(begin, &[("edges.tsv", file.as_bytes())]);
                graphs::import_raw(client, messages).await?.revision
            }
        };
        self.acknowledged.insert(tag, revision);
        self.next += 1;
        Ok(())
    }

    fn batch(&self, tag: &str, request_id: String) -> ApplyChangesRequest {
        let key = |index: usize| format!("{tag}.{index}");
        let nodes =
            (0..BATCH).map(|index| put_node(Node { key: key(index), r#type: tag.into(), ..Node::default() }));
        let edges = (1..BATCH).map(|index| edge(&key(index - 1), &key(index)));
        ApplyChangesRequest { request_id, ..graphs::changes(&self.graph, nodes.chain(edges).collect()) }
    }
}
