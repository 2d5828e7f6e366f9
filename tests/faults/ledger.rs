//! The books after all the deaths: what was acknowledged is there, once and whole.

use std::collections::{BTreeMap, BTreeSet};

use weft_tests::{
    client::Client,
    graphs::{self, Follower, Revision},
};

use super::writers::Writer;

/// Compares what writers were told and what a watcher heard with what is there.
pub(crate) async fn check(client: &Client, graph: &str, writers: &[Writer], heard: &[Revision]) {
    let head = graphs::get(client, graph).await;
    assert_eq!(
        heard.last().map(|last| last.number),
        Some(head.revision),
        "the watcher has heard of everything"
    );

    // What the watcher heard, across all deaths, is what the journal says afterwards.
    let journal = Follower::new(graph, 1).until(client, head.revision).await.expect("it is kept");
    assert_eq!(journal.len(), heard.len());
    for (kept, heard) in journal.iter().zip(heard) {
        assert_eq!(kept.number, heard.number);
        assert_eq!(kept.node_keys(), heard.node_keys(), "revision {} is another one now", kept.number);
        assert!(kept == heard, "revision {} is another one now", kept.number);
    }

    // Each write is one revision, that which was acknowledged; whole, and in the graph.
    let by_tag = by_tag(&journal);
    let expected: usize = writers.iter().map(|writer| writer.acknowledged.len()).sum();
    assert_eq!(by_tag.len(), expected, "something was applied that nobody wrote, or lost");
    let mut there: BTreeMap<String, usize> = BTreeMap::new();
    let nodes = graphs::all_nodes(client, graph).await;
    assert_eq!(nodes.len() as i64, head.node_count);
    for node in &nodes {
        *there.entry(tag_of(&node.key).to_owned()).or_default() += 1;
    }
    for writer in writers {
        for (tag, revision) in &writer.acknowledged {
            let (found, keys) = by_tag.get(tag.as_str()).unwrap_or_else(|| panic!("{tag} is lost"));
            assert_eq!(found, revision, "{tag} was acknowledged as another revision");
            assert_eq!(there.get(tag), Some(&keys.len()), "{tag} is half there");
            assert_eq!(keys.len(), writer.kind().nodes(), "{tag} was applied by halves");
        }
    }
    assert_eq!(there.len(), expected);
}

/// The revision of each tag, and its nodes; panics if one is spread over several.
fn by_tag(journal: &[Revision]) -> BTreeMap<&str, (i64, BTreeSet<&str>)> {
    let mut all: BTreeMap<&str, (i64, BTreeSet<&str>)> = BTreeMap::new();
    for revision in journal {
        for key in revision.node_keys() {
            let (number, keys) = all.entry(tag_of(key)).or_insert_with(|| (revision.number, BTreeSet::new()));
            assert_eq!(*number, revision.number, "{key} was applied twice, or by halves");
            keys.insert(key);
        }
    }
    all
}

fn tag_of(key: &str) -> &str {
    key.split_once('.').map_or(key, |(tag, _)| tag)
}
