//! The log and the segments of telemetry.

use bytes::Bytes;
use uuid::Uuid;

use super::{refused, time, uid};
use crate::{
    LogEntry, OwnedLog, ReporterRow, SealedSegments, SegmentRow, StoreError, Stores, TelemetryKind,
    Timestamp, Versioned,
};

async fn own(stores: &Stores) -> OwnedLog {
    stores.telemetry.own_telemetry_log("one", time(0), time(60)).await.expect("nobody has it")
}

fn entry(number: i64) -> LogEntry {
    let kind = TelemetryKind::default();
    LogEntry { number, kind, content: Bytes::from(format!("entry {number} \0")) }
}

fn segment(n: u128) -> SegmentRow {
    SegmentRow {
        uid: uid(n),
        project: "p".into(),
        kind: TelemetryKind::Spans,
        resolution: 300_000,
        first: time(-5),
        last: time(7),
        sample_count: 1 << 40,
        object_bytes: 77,
        directory: Bytes::from_static(b"directory \0\xff"),
        created: time(8),
    }
}

fn reporter(source: &str, sequence: i64, at: Timestamp) -> ReporterRow {
    ReporterRow { project: "p".into(), source: source.into(), incarnation: uid(9), sequence, updated: at }
}

/// While a lease holds, nobody else gets the log; whoever gets it next makes the owner before a stranger.
pub async fn the_log_has_one_owner(stores: Stores) {
    let store = &stores.telemetry;
    let first = own(&stores).await;
    assert_eq!((first.epoch, first.last_entry), (1, 0));
    refused!(store.own_telemetry_log("two", time(59), time(99)).await, StoreError::AlreadyExists { .. });
    assert_eq!(own(&stores).await.epoch, 2);
    store.keep_telemetry_log(2, time(80)).await.unwrap();
    refused!(
        store.keep_telemetry_log(1, time(80)).await,
        StoreError::Stale { of: Versioned::Epoch, current: 2 }
    );
    refused!(store.own_telemetry_log("two", time(79), time(99)).await, StoreError::AlreadyExists { .. });
    let next = store.own_telemetry_log("two", time(80), time(99)).await.unwrap();
    assert_eq!(next.epoch, 3);
    refused!(store.append_telemetry(2, vec![entry(1)]).await, StoreError::Stale { current: 3, .. });
    let late = SealedSegments { epoch: 2, added: vec![segment(1)], ..SealedSegments::default() };
    refused!(store.seal_telemetry(late).await, StoreError::Stale { current: 3, .. });
    assert!(store.list_telemetry_segments(Uuid::nil(), 9).await.unwrap().is_empty());
    store.leave_telemetry_log(2).await.unwrap();
    refused!(store.own_telemetry_log("one", time(81), time(99)).await, StoreError::AlreadyExists { .. });
    store.leave_telemetry_log(3).await.unwrap();
    assert_eq!(store.own_telemetry_log("one", time(81), time(99)).await.unwrap().epoch, 4);
    refused!(
        store.own_telemetry_log("\0", time(0), time(1)).await,
        StoreError::Invalid { field: "owner", .. }
    );
}

/// Entries come back in order and whole, and go when what they say is sealed; numbers are not used again.
pub async fn the_log_is_read_in_order_and_shortened(stores: Stores) {
    let store = &stores.telemetry;
    let owned = own(&stores).await;
    store.append_telemetry(owned.epoch, vec![entry(1), entry(2), entry(10)]).await.unwrap();
    store.append_telemetry(owned.epoch, vec![entry(11)]).await.unwrap();
    // One number twice: none of its entries is there.
    assert!(store.append_telemetry(owned.epoch, vec![entry(12), entry(11)]).await.is_err());
    assert_eq!(store.telemetry_log(1, 2).await.unwrap(), [entry(2), entry(10)]);
    let sealed = SealedSegments { epoch: owned.epoch, log_until: 10, ..SealedSegments::default() };
    store.seal_telemetry(sealed).await.unwrap();
    assert_eq!(store.telemetry_log(0, 9).await.unwrap(), [entry(11)]);
    let sealed = SealedSegments { epoch: owned.epoch, log_until: 11, ..SealedSegments::default() };
    store.seal_telemetry(sealed).await.unwrap();
    assert!(store.telemetry_log(0, 9).await.unwrap().is_empty());
    assert_eq!(own(&stores).await.last_entry, 11);
    let large = LogEntry { content: Bytes::from(vec![0; crate::MAX_PART_BYTES + 1]), ..entry(12) };
    refused!(
        store.append_telemetry(owned.epoch + 1, vec![large]).await,
        StoreError::Invalid { field: "content", .. }
    );
}

/// What is sealed of one kind shortens the log of that kind alone.
pub async fn each_kind_shortens_its_own_log(stores: Stores) {
    let store = &stores.telemetry;
    let epoch = own(&stores).await.epoch;
    let of = |number, kind| LogEntry { kind, ..entry(number) };
    let (samples, logs, spans) = (TelemetryKind::Samples, TelemetryKind::Logs, TelemetryKind::Spans);
    let all = vec![of(1, samples), of(2, logs), of(3, spans), of(4, logs)];
    store.append_telemetry(epoch, all.clone()).await.unwrap();
    assert_eq!(store.telemetry_log(0, 9).await.unwrap(), all);
    let sealed = SealedSegments { epoch, kind: logs, log_until: 3, ..SealedSegments::default() };
    store.seal_telemetry(sealed).await.unwrap();
    let left = store.telemetry_log(0, 9).await.unwrap();
    assert_eq!(left, [of(1, samples), of(3, spans), of(4, logs)]);
}

/// Segments read back as they were written, take the place of others in one step, and list by uid.
pub async fn segments_replace_each_other(stores: Stores) {
    let store = &stores.telemetry;
    let epoch = own(&stores).await.epoch;
    let added = vec![segment(2), segment(1), segment(3)];
    store.seal_telemetry(SealedSegments { epoch, added, ..SealedSegments::default() }).await.unwrap();
    let all = store.list_telemetry_segments(Uuid::nil(), 9).await.unwrap();
    assert_eq!(all, [segment(1), segment(2), segment(3)]);
    assert_eq!(store.list_telemetry_segments(uid(1), 1).await.unwrap(), [segment(2)]);
    let removed = vec![uid(1), uid(3), uid(7)];
    let change = SealedSegments { epoch, added: vec![segment(4)], removed, ..SealedSegments::default() };
    store.seal_telemetry(change).await.unwrap();
    assert_eq!(store.list_telemetry_segments(Uuid::nil(), 9).await.unwrap(), [segment(2), segment(4)]);
    // One that is there already is a fault of the caller, and nothing of its change happens.
    let again = SealedSegments { epoch, added: vec![segment(5), segment(4)], ..SealedSegments::default() };
    assert!(store.seal_telemetry(again).await.is_err());
    assert_eq!(store.list_telemetry_segments(Uuid::nil(), 9).await.unwrap().len(), 2);
}

/// How far sources have come is kept with the segments, the newest for each.
pub async fn reporters_go_on_where_they_were(stores: Stores) {
    let store = &stores.telemetry;
    let epoch = own(&stores).await.epoch;
    for (reporters, _) in [
        (vec![reporter("a", 1, time(1)), reporter("b", 5, time(2))], 0),
        (vec![reporter("a", 4, time(3))], 0),
    ] {
        store.seal_telemetry(SealedSegments { epoch, reporters, ..SealedSegments::default() }).await.unwrap();
    }
    let mut all = store.list_telemetry_reporters(time(0)).await.unwrap();
    all.sort_by(|one, other| one.source.cmp(&other.source));
    assert_eq!(all, [reporter("a", 4, time(3)), reporter("b", 5, time(2))]);
    assert_eq!(store.list_telemetry_reporters(time(3)).await.unwrap(), [reporter("a", 4, time(3))]);
    assert_eq!(store.forget_telemetry_reporters(time(3), 9).await.unwrap(), 1);
    assert_eq!(store.list_telemetry_reporters(time(0)).await.unwrap(), [reporter("a", 4, time(3))]);
}
