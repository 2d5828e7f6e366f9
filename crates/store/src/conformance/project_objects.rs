//! Objects of projects: rows that turn to their content, and content that no row has.

use bytes::Bytes;

use super::{refused, time, uid};
use crate::{
    LooseContent, NewProjectObject, Only, ProjectObjectRow, PutObject, StoreError, Stores, Timestamp,
    Versioned,
};

/// An object whose content has a number.
fn new(id: &str, n: u128) -> NewProjectObject {
    NewProjectObject {
        uid: uid(n),
        project: "p".into(),
        id: id.into(),
        content: uid(1_000 + n),
        size: 100,
        settings: Bytes::from_static(b"settings \0\xff"),
        only: Only::Always,
        most_objects: 1_000,
        most_bytes: i64::MAX,
        at: time(1),
        loose_from: time(50),
    }
}

/// Content with a number, of a project that may have any number of bytes.
fn content(n: u128, size: i64, from: i64) -> LooseContent {
    LooseContent {
        content: uid(1_000 + n),
        project: "p".into(),
        size,
        most_bytes: i64::MAX,
        from: time(from),
    }
}

/// Notes its content, of which nothing is known yet, and puts it.
async fn put(stores: &Stores, object: NewProjectObject) -> Result<PutObject, StoreError> {
    let project = object.project.clone();
    let noted = LooseContent { content: object.content, project, ..content(0, 0, 99) };
    assert!(stores.object.note_loose_content(noted).await.unwrap());
    stores.object.put_object(object).await
}

#[track_caller]
fn done(put: Result<PutObject, StoreError>) -> ProjectObjectRow {
    match put.expect("it is written") {
        PutObject::Done(row) => row,
        refused => panic!("{refused:?}"),
    }
}

async fn loose(stores: &Stores, at: Timestamp) -> Vec<u128> {
    let all = stores.object.loose_contents(at, 100).await.unwrap();
    all.into_iter().map(|content| content.as_u128() - uid(1_000).as_u128()).collect()
}

/// Every field comes back; another write keeps who it is, and only its content changes.
pub async fn an_object_reads_back_as_written(stores: Stores) {
    let created = done(put(&stores, new("o", 1)).await);
    let expected = ProjectObjectRow {
        uid: uid(1),
        project: "p".into(),
        id: "o".into(),
        content: uid(1_001),
        size: 100,
        settings: Bytes::from_static(b"settings \0\xff"),
        version: 1,
        created: time(1),
        updated: time(1),
    };
    assert_eq!(created, expected);
    assert_eq!(stores.object.get_object("p", "o").await.unwrap(), expected);
    let other = NewProjectObject { size: 7, settings: "new".into(), at: time(2), ..new("o", 2) };
    let changed = ProjectObjectRow {
        content: uid(1_002),
        size: 7,
        settings: "new".into(),
        version: 2,
        updated: time(2),
        ..expected
    };
    assert_eq!(done(put(&stores, other).await), changed);
    assert_eq!(stores.object.get_object("p", "o").await.unwrap(), changed);
    refused!(stores.object.get_object("q", "o").await, StoreError::NotFound { what: "object" });
    refused!(put(&stores, new("a\0", 4)).await, StoreError::Invalid { field: "id", .. });
    // A name that is free again belongs to somebody else.
    stores.object.delete_object("p", "o", None, time(60)).await.unwrap();
    refused!(stores.object.get_object("p", "o").await, StoreError::NotFound { what: "object" });
    assert_eq!(done(put(&stores, new("o", 5)).await).uid, uid(5));
}

/// By id, by bytes, page by page, of one project and one prefix.
pub async fn objects_list_in_byte_order(stores: Stores) {
    let sorted = ["a", "a-b", "a0", "ab", "b"];
    for (n, id) in (1..).zip(sorted.iter().rev()) {
        done(put(&stores, new(id, n)).await);
    }
    done(put(&stores, NewProjectObject { project: "q".into(), ..new("s", 9) }).await);
    let list = async |prefix: &str| {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let after = seen.last().map_or("", String::as_str);
            let page = stores.object.list_objects("p", prefix, after, 2).await.unwrap();
            if page.is_empty() {
                return seen;
            }
            seen.extend(page.into_iter().map(|row| row.id));
        }
    };
    assert_eq!(list("").await, sorted);
    assert_eq!(list("a").await, ["a", "a-b", "a0", "ab"]);
    assert_eq!(list("a-").await, ["a-b"]);
    assert_eq!(list("c").await, Vec::<String>::new());
    // What means something in a pattern means nothing here.
    assert_eq!(list("%").await, Vec::<String>::new());
}

/// What a write is based on must be there: it is refused otherwise, and its content stays loose.
pub async fn a_write_that_does_not_hold_changes_nothing(stores: Stores) {
    let only = |n, only| NewProjectObject { only, ..new("o", n) };
    refused!(put(&stores, only(1, Only::IfVersion(1))).await, StoreError::NotFound { what: "object" });
    done(put(&stores, only(2, Only::IfAbsent)).await);
    refused!(put(&stores, only(3, Only::IfAbsent)).await, StoreError::AlreadyExists { what: "object" });
    refused!(
        put(&stores, only(4, Only::IfVersion(2))).await,
        StoreError::Stale { of: Versioned::Version, current: 1 }
    );
    assert_eq!(done(put(&stores, only(5, Only::IfVersion(1))).await).version, 2);
    refused!(
        stores.object.delete_object("p", "o", Some(1), time(60)).await,
        StoreError::Stale { of: Versioned::Version, current: 2 }
    );
    // Content that was not noted, or is not any more, is no object's.
    refused!(stores.object.put_object(new("o", 6)).await, StoreError::Conflict { .. });
    assert!(stores.object.note_loose_content(content(7, 0, 1)).await.unwrap());
    stores.object.forget_content(uid(1_007)).await.unwrap();
    refused!(stores.object.put_object(new("other", 7)).await, StoreError::Conflict { .. });
    assert_eq!(stores.object.get_object("p", "o").await.unwrap().content, uid(1_005));
    refused!(stores.object.get_object("p", "other").await, StoreError::NotFound { what: "object" });
    assert_eq!(loose(&stores, time(99)).await, [2, 1, 3, 4]);
    stores.object.delete_object("p", "o", Some(2), time(60)).await.unwrap();
    refused!(
        stores.object.delete_object("p", "o", None, time(60)).await,
        StoreError::NotFound { what: "object" }
    );
}

/// Of writes of one object at once each is whole, and all content but the last one's is loose.
pub async fn of_concurrent_writes_each_is_whole(stores: Stores) {
    let writes = (1..=8).map(|n| put(&stores, new("o", n)));
    let rows = futures::future::join_all(writes).await;
    let mut versions: Vec<_> = rows.into_iter().map(|row| done(row).version).collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=8).collect::<Vec<_>>());
    let last = stores.object.get_object("p", "o").await.unwrap();
    let mut loose = loose(&stores, time(99)).await;
    loose.push(last.content.as_u128() - uid(1_000).as_u128());
    loose.sort_unstable();
    assert_eq!(loose, (1..=8).collect::<Vec<_>>());
}

/// A project has so many objects and so many bytes, also when they are written at once; what others have does not count.
pub async fn a_project_has_so_much(stores: Stores) {
    let few = |id: &str, n| NewProjectObject { most_objects: 3, most_bytes: 250, ..new(id, n) };
    done(put(&stores, NewProjectObject { project: "q".into(), ..few("a", 1) }).await);
    done(put(&stores, few("a", 2)).await);
    done(put(&stores, few("b", 3)).await);
    assert_eq!(put(&stores, few("c", 4)).await.unwrap(), PutObject::TooLarge);
    done(put(&stores, NewProjectObject { size: 50, ..few("c", 5) }).await);
    assert_eq!(put(&stores, NewProjectObject { size: 1, ..few("a", 6) }).await.unwrap(), PutObject::TooLarge);
    done(put(&stores, NewProjectObject { size: 0, ..few("a", 7) }).await);
    assert_eq!(put(&stores, NewProjectObject { size: 0, ..few("d", 8) }).await.unwrap(), PutObject::TooMany);
    let huge = NewProjectObject { size: i64::MAX, most_bytes: i64::MAX, ..few("a", 9) };
    assert_eq!(put(&stores, huge).await.unwrap(), PutObject::TooLarge);
    refused!(
        put(&stores, NewProjectObject { size: -1, ..few("a", 10) }).await,
        StoreError::Invalid { field: "size", .. }
    );
    // At once.
    let at_once =
        (20..28).map(|n| put(&stores, NewProjectObject { project: "r".into(), ..few(&format!("o{n}"), n) }));
    let written = futures::future::join_all(at_once).await;
    assert_eq!(written.into_iter().filter(|put| matches!(put, Ok(PutObject::Done(_)))).count(), 2);
    // What was refused is still noted.
    assert!(loose(&stores, time(99)).await.contains(&4));
}

/// What was replaced, what was deleted and what is being written counts until it is removed.
pub async fn what_is_stored_counts_until_it_is_removed(stores: Stores) {
    let few = |id: &str, n| NewProjectObject { most_bytes: 250, ..new(id, n) };
    let begun = |n, size| LooseContent { most_bytes: 250, ..content(n, size, 99) };
    done(put(&stores, few("a", 1)).await);
    done(put(&stores, few("a", 2)).await);
    // Replaced, and still there.
    assert_eq!(put(&stores, few("a", 3)).await.unwrap(), PutObject::TooLarge);
    stores.object.forget_content(uid(1_001)).await.unwrap();
    done(put(&stores, few("a", 4)).await);
    stores.object.delete_object("p", "a", None, time(50)).await.unwrap();
    assert_eq!(put(&stores, few("a", 5)).await.unwrap(), PutObject::TooLarge);
    stores.object.forget_content(uid(1_002)).await.unwrap();
    // What is being written counts once, however often it grows, and what does not fit changes nothing.
    for size in [10, 100, 150] {
        assert!(stores.object.note_loose_content(begun(6, size)).await.unwrap());
    }
    assert!(!stores.object.note_loose_content(begun(6, 151)).await.unwrap());
    assert!(!stores.object.note_loose_content(begun(7, 1)).await.unwrap());
    assert!(!loose(&stores, time(99)).await.contains(&7));
    let other = LooseContent { project: "q".into(), ..begun(8, 250) };
    assert!(stores.object.note_loose_content(other).await.unwrap());
    let written = NewProjectObject { size: 150, ..few("b", 6) };
    done(stores.object.put_object(written).await);
    refused!(stores.object.note_loose_content(begun(9, -1)).await, StoreError::Invalid { field: "size", .. });
    refused!(
        stores.object.note_loose_content(LooseContent { project: "\0".into(), ..begun(9, 1) }).await,
        StoreError::Invalid { field: "project", .. }
    );
    // At once.
    let at_once = (20..28).map(|n| LooseContent { project: "r".into(), ..begun(n, 100) });
    let at_once = at_once.map(|content| stores.object.note_loose_content(content));
    let noted = futures::future::join_all(at_once).await;
    assert_eq!(noted.into_iter().filter(|noted| *noted.as_ref().unwrap()).count(), 2);
}

/// Content that a row has is no one's to remove, also where its writer did not learn that its object was written.
pub async fn content_that_an_object_has_is_left_alone(stores: Stores) {
    assert!(stores.object.note_loose_content(content(1, 0, 99)).await.unwrap());
    assert!(stores.object.reschedule_loose_content(uid(1_001), time(10)).await.unwrap());
    assert_eq!(loose(&stores, time(10)).await, [1]);
    assert!(stores.object.reschedule_loose_content(uid(1_001), time(20)).await.unwrap());
    assert_eq!(loose(&stores, time(10)).await, [0; 0]);
    done(stores.object.put_object(new("o", 1)).await);
    assert!(!stores.object.reschedule_loose_content(uid(1_001), time(1)).await.unwrap());
    assert_eq!(loose(&stores, time(99)).await, [0; 0]);
    // Nor where it is noted all the same.
    assert!(stores.object.note_loose_content(content(1, 100, 1)).await.unwrap());
    assert_eq!(loose(&stores, time(99)).await, [0; 0]);
    stores.object.delete_object("p", "o", None, time(50)).await.unwrap();
    assert_eq!(loose(&stores, time(50)).await, [1]);
}

/// Of a write and a deletion at once one comes first: what was deleted does not come back from a write that wanted it
/// to be there.
pub async fn what_is_deleted_meanwhile_is_not_written(stores: Stores) {
    for n in 0..40 {
        let id = format!("o{n}");
        let first = done(put(&stores, new(&id, 100 + 2 * n)).await);
        let again = NewProjectObject { only: Only::IfVersion(first.version), ..new(&id, 101 + 2 * n) };
        let deleted = stores.object.delete_object("p", &id, None, time(60));
        let (written, deleted) = futures::future::join(put(&stores, again), deleted).await;
        deleted.unwrap();
        let is_first = matches!(written, Ok(PutObject::Done(_)));
        assert!(is_first || matches!(written, Err(StoreError::NotFound { .. })), "{written:?}");
        refused!(stores.object.get_object("p", &id).await, StoreError::NotFound { what: "object" });
    }
}

/// Content that no object has is found once it is due, the longest first, until it is forgotten.
pub async fn content_without_an_object_is_found(stores: Stores) {
    for (n, at) in [(1, 30), (2, 10), (3, 20)] {
        assert!(stores.object.note_loose_content(content(n, 5, at)).await.unwrap());
    }
    assert_eq!(loose(&stores, time(9)).await, [0; 0]);
    assert_eq!(loose(&stores, time(10)).await, [2]);
    assert_eq!(loose(&stores, time(30)).await, [2, 3, 1]);
    // An object has it now: it is not loose, and what it is replaced by makes it so again.
    done(stores.object.put_object(new("o", 3)).await);
    assert_eq!(loose(&stores, time(30)).await, [2, 1]);
    done(stores.object.put_object(NewProjectObject { loose_from: time(15), ..new("o", 1) }).await);
    assert_eq!(loose(&stores, time(30)).await, [2, 3]);
    stores.object.delete_object("p", "o", None, time(5)).await.unwrap();
    assert_eq!(loose(&stores, time(30)).await, [1, 2, 3]);
    assert_eq!(stores.object.loose_contents(time(30), 1).await.unwrap(), [uid(1_001)]);
    stores.object.forget_content(uid(1_001)).await.unwrap();
    stores.object.forget_content(uid(1_001)).await.unwrap();
    assert_eq!(loose(&stores, time(30)).await, [2, 3]);
}
