//! Is everything that was acknowledged still there, whole, after the process was killed?

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use uuid::Uuid;
use weft_store::{GraphStore, JournalLimit, Position, StoreError};

const KILLS: usize = 25;

/// Numbers that look random and are the same in every run (the constants are Knuth's MMIX generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Runs the child until it has acknowledged that many writes, kills it, and gives the newest revision that it
/// acknowledged of each graph.
fn write_and_kill(url: &str, after: u64) -> BTreeMap<u128, i64> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_append-until-killed"))
        .arg(url)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
    let (mut newest, mut count) = (BTreeMap::new(), 0);
    loop {
        let mut line = String::new();
        // What was printed before the kill is still in the pipe, and was acknowledged.
        let whole = lines.read_line(&mut line).expect("the pipe can be read") > 0 && line.ends_with('\n');
        if !whole {
            break;
        }
        let (graph, revision) = line.trim().split_once(' ').expect("a line has two numbers");
        newest.insert(graph.parse().expect("a number"), revision.parse().expect("a number"));
        count += 1;
        if count == after {
            child.kill().expect("the child is still there: it never ends by itself");
        }
    }
    let status = child.wait().expect("the child has ended");
    assert!(count >= after, "the child ended by itself after {count} writes: {status}");
    newest
}

/// That the graph's journal is whole from its beginning to its newest revision, and its checkpoint too.
async fn check_graph(store: &dyn GraphStore, n: u128, acknowledged: i64) {
    let uid = Uuid::from_u128(n);
    let row = store.get_graph("p", &format!("g{n}")).await.unwrap();
    assert!(
        row.revision >= acknowledged,
        "revision {acknowledged} of graph {n} was acknowledged and is gone"
    );
    assert!(row.revision <= acknowledged.max(1) + 1, "more than one write of graph {n} was under way");

    let mut at = Position::after_revision(row.oldest_revision - 1);
    let mut entries = Vec::new();
    loop {
        // The store itself checks that no part is missing in between.
        let page = store.journal(uid, at, JournalLimit { entries: 7, bytes: 10_000 }).await.unwrap();
        let Some(last) = page.last() else { break };
        at = last.position();
        entries.extend(page);
    }
    assert_eq!(at, Position::after_revision(row.revision), "the journal of graph {n} ends elsewhere");
    for entry in &entries {
        let r = entry.revision;
        assert_eq!(entry.last_part, i64::from(entry.part) == r % 4, "graph {n} revision {r}");
        assert_eq!(entry.bytes.len() as i64, r * 37 % 3_000 + 1, "graph {n} revision {r}");
        assert!(entry.bytes.iter().all(|&byte| i64::from(byte) == r % 251), "graph {n} revision {r}");
    }

    let checkpoint = store.load_checkpoint(uid).await.unwrap();
    assert!(checkpoint.is_some() || row.oldest_revision == 1, "trimmed without a checkpoint");
    if let Some(checkpoint) = checkpoint {
        assert!(checkpoint.revision + 1 >= row.oldest_revision, "a hole between checkpoint and journal");
        assert_eq!(i64::from(checkpoint.part_count), checkpoint.revision % 4 + 1);
        for part in 0..checkpoint.part_count {
            let bytes = store.checkpoint_part(uid, checkpoint.revision, part).await.unwrap();
            assert!(bytes.iter().all(|&byte| i64::from(byte) == checkpoint.revision % 251));
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kills() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("weft.db").display());
    let mut numbers = Numbers(1);
    let mut acknowledged: BTreeMap<u128, i64> = BTreeMap::new();
    let (mut kills_with_unacknowledged, mut total) = (0, 0);
    for _ in 0..KILLS {
        let after = 1 + numbers.below(150);
        total += after;
        acknowledged.extend(write_and_kill(&url, after));
        let stores = weft_store_sqlite::open(&url).await.unwrap();
        let mut ahead = false;
        for n in 1..=4 {
            match stores.graph.get_graph("p", &format!("g{n}")).await {
                Ok(row) => {
                    let known = acknowledged.get(&n).copied().unwrap_or(0);
                    check_graph(&*stores.graph, n, known).await;
                    ahead |= row.revision > known;
                    acknowledged.insert(n, row.revision);
                }
                Err(StoreError::NotFound { .. }) => assert!(!acknowledged.contains_key(&n)),
                Err(error) => panic!("{error:?}"),
            }
        }
        kills_with_unacknowledged += usize::from(ahead);
        stores.database.close().await;
    }
    eprintln!(
        "{KILLS} kills, {total} writes; {kills_with_unacknowledged} kills hit a write on disk but not acknowledged"
    );
}
