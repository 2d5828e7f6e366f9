//! What does a store leave behind when its process is killed? The child of `tests/kill.rs`: writes to a
//! database for ever, and prints each write after it was acknowledged.
//!
//! Revision `r` of a graph has `r % 4 + 1` parts of `r * 37 % 3000 + 1` bytes, each byte `r` modulo 251: the
//! parent can tell a whole revision by its number. Every tenth revision is saved as a checkpoint as well, and
//! the journal behind it is trimmed, so that those die half done too.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::join_all;
use uuid::Uuid;
use weft_store::{Commit, GraphStore, NewGraph, StoreError, Timestamp, Written};

const GRAPHS: u128 = 4;

fn parts(revision: i64) -> Vec<Bytes> {
    let size = (revision * 37 % 3_000 + 1) as usize;
    let count = (revision % 4 + 1) as usize;
    vec![Bytes::from(vec![(revision % 251) as u8; size]); count]
}

/// The graph's newest revision, after creating it if it is not there.
async fn start(store: &dyn GraphStore, n: u128) -> Result<i64, StoreError> {
    let new = NewGraph {
        project: "p".into(),
        id: format!("g{n}"),
        uid: Uuid::from_u128(n),
        display_name: String::new(),
        description: String::new(),
        kind: 1,
        labels: BTreeMap::new(),
        parts: parts(1),
        at: Timestamp::default(),
        actor: String::new(),
    };
    match store.create_graph(new, None).await {
        Ok(_) => Ok(1),
        Err(StoreError::AlreadyExists { .. }) => Ok(store.get_graph("p", &format!("g{n}")).await?.revision),
        Err(error) => Err(error),
    }
}

async fn write_for_ever(store: &dyn GraphStore, n: u128) -> Result<(), StoreError> {
    let uid = Uuid::from_u128(n);
    let mut base_revision = start(store, n).await?;
    loop {
        let commit = Commit {
            uid,
            base_revision,
            parts: parts(base_revision + 1),
            node_count: base_revision,
            edge_count: 0,
            next_ordinal: 0,
            at: Timestamp::default(),
            actor: String::new(),
        };
        let Written::Done(revision) = store.append(commit, None).await? else {
            return Err(StoreError::Bug("a write without a request was replayed".into()));
        };
        #[expect(clippy::print_stdout, reason = "the parent reads what was acknowledged")]
        {
            println!("{n} {revision}");
        }
        base_revision = revision;
        if revision % 10 == 0 {
            store.save_checkpoint(uid, revision, parts(revision)).await?;
            store.trim_journal(uid, revision - 5).await?;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("the only argument is the URL of the database")?;
    let stores = weft_store_sqlite::open(&url).await?;
    for result in join_all((1..=GRAPHS).map(|n| write_for_ever(&*stores.graph, n))).await {
        result?;
    }
    Ok(())
}
