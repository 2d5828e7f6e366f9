//! What steps gave, and for how long it is kept.

use bytes::Bytes;

use super::{refused, time};
use crate::{Areas, KeptResult, MostKept, StoreError, Stores};

const PLENTY: MostKept = MostKept { count: 1_000, bytes: 1 << 40 };

/// A result with a number, which is good from its second on for a hundred.
fn kept(area: &str, n: u8) -> KeptResult {
    KeptResult {
        project: "p".into(),
        area: area.into(),
        digest: [n; 32],
        bytes: Bytes::from(vec![n; 10]),
        maker: format!("projects/p/executions/x{n}"),
        made: time(n.into()),
        expires: time(100 + i64::from(n)),
    }
}

async fn has(stores: &Stores, area: &str, numbers: std::ops::RangeInclusive<u8>) -> Vec<u8> {
    let mut has = Vec::new();
    for n in numbers {
        let found = stores.kept_result.get_result("p", area, [n; 32], time(50)).await.unwrap();
        has.extend(found.map(|_| n));
    }
    has
}

/// Every field comes back, until it is good no more; another one takes its place.
pub async fn a_result_reads_back_until_it_expires(stores: Stores) {
    let results = &stores.kept_result;
    let first = kept("graphs/g/nodes/n", 1);
    results.put_result(first.clone(), PLENTY).await.unwrap();
    let get = async |project: &str, area: &str, at| {
        results.get_result(project, area, [1; 32], time(at)).await.unwrap()
    };
    assert_eq!(get("p", "graphs/g/nodes/n", 100).await, Some(first.clone()));
    assert_eq!(get("p", "graphs/g/nodes/n", 101).await, None);
    assert_eq!(get("q", "graphs/g/nodes/n", 2).await, None);
    assert_eq!(get("p", "graphs/g/nodes/m", 2).await, None);
    let second = KeptResult {
        bytes: Bytes::from_static(b"other \0\xff"),
        maker: "projects/p/executions/y".into(),
        made: time(7),
        expires: time(200),
        ..first.clone()
    };
    results.put_result(second.clone(), PLENTY).await.unwrap();
    assert_eq!(get("p", "graphs/g/nodes/n", 150).await, Some(second));
    refused!(
        results.put_result(KeptResult { area: "a\0".into(), ..first }, PLENTY).await,
        StoreError::Invalid { field: "area", .. }
    );
}

/// What is beyond a project's bounds is forgotten, the oldest first; other projects have their own.
pub async fn a_project_keeps_so_many_results(stores: Stores) {
    let results = &stores.kept_result;
    results.put_result(KeptResult { project: "q".into(), ..kept("a", 1) }, PLENTY).await.unwrap();
    for n in [3, 1, 2, 4] {
        results.put_result(kept("a", n), PLENTY).await.unwrap();
    }
    results.put_result(kept("b", 5), MostKept { count: 3, bytes: 1_000 }).await.unwrap();
    assert_eq!((has(&stores, "a", 1..=5).await, has(&stores, "b", 1..=5).await), (vec![3, 4], vec![5]));
    results.put_result(kept("b", 6), MostKept { count: 3, bytes: 20 }).await.unwrap();
    assert_eq!((has(&stores, "a", 1..=6).await, has(&stores, "b", 1..=6).await), (vec![], vec![5, 6]));
    // One that is larger than all may be is not kept, and nothing is forgotten for it.
    let large = KeptResult { bytes: vec![0; 100].into(), ..kept("b", 7) };
    results.put_result(large, MostKept { count: 3, bytes: 20 }).await.unwrap();
    assert_eq!(has(&stores, "b", 1..=7).await, [5, 6]);
    assert!(results.get_result("q", "a", [1; 32], time(2)).await.unwrap().is_some());
}

/// In bounded steps where time has passed; by area, by what areas begin with, or all, where somebody says so.
pub async fn results_are_forgotten_and_purged(stores: Stores) {
    let results = &stores.kept_result;
    for n in 1..=5 {
        results.put_result(kept("graphs/g/nodes/n", n), PLENTY).await.unwrap();
    }
    assert_eq!(results.forget_results(time(103), 2).await.unwrap(), 2);
    assert_eq!(results.forget_results(time(103), 2).await.unwrap(), 1);
    assert_eq!(results.forget_results(time(103), 2).await.unwrap(), 0);
    assert_eq!(has(&stores, "graphs/g/nodes/n", 1..=5).await, [4, 5]);
    for area in ["graphs/g/nodes/m", "graphs/g_/nodes/n", "names/a"] {
        results.put_result(kept(area, 6), PLENTY).await.unwrap();
    }
    results.put_result(KeptResult { project: "q".into(), ..kept("names/a", 6) }, PLENTY).await.unwrap();
    let purge = async |areas| results.purge_results("p", areas).await.unwrap();
    // What means something in a pattern means nothing here.
    assert_eq!(purge(Areas::Below("graphs/_/")).await, 0);
    assert_eq!(purge(Areas::Below("graphs/g/")).await, 3);
    assert_eq!(purge(Areas::One("names")).await, 0);
    assert_eq!(purge(Areas::One("names/a")).await, 1);
    assert_eq!(purge(Areas::All).await, 1);
    assert_eq!(results.purge_results("q", Areas::All).await.unwrap(), 1);
}
