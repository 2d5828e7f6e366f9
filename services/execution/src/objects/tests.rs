//! Objects over a real database and a real folder: what is written is read, and nothing is left behind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{TryStreamExt, stream};
use tempfile::TempDir;
use uuid::Uuid;
use weft_kit::{Clock, Ids, Lifecycle};
use weft_store::{
    LooseContent, NewProjectObject, Only, ProjectObjectRow, ProjectObjectStore, PutObject, StoreError,
    Timestamp, objects::Objects,
};

use super::{ABANDONED, AGAIN, Begin, ObjectError, PART, ProjectObjects, READING, Unchanged};
use crate::Options;

struct World {
    folder: TempDir,
    all: Arc<ProjectObjects>,
    store: Arc<dyn ProjectObjectStore>,
    bytes: Objects,
    clock: Clock,
    /// What a write has done is not heard.
    is_unheard: Arc<AtomicBool>,
}

/// The real store, of which answers may be lost.
struct Unheard {
    inner: Arc<dyn ProjectObjectStore>,
    is_unheard: Arc<AtomicBool>,
}

#[tonic::async_trait]
impl ProjectObjectStore for Unheard {
    async fn note_loose_content(&self, content: LooseContent) -> weft_store::Result<bool> {
        self.inner.note_loose_content(content).await
    }

    async fn reschedule_loose_content(&self, content: Uuid, from: Timestamp) -> weft_store::Result<bool> {
        self.inner.reschedule_loose_content(content, from).await
    }

    async fn put_object(&self, object: NewProjectObject) -> weft_store::Result<PutObject> {
        let put = self.inner.put_object(object).await?;
        if self.is_unheard.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("the answer is lost"));
        }
        Ok(put)
    }

    async fn get_object(&self, project: &str, id: &str) -> weft_store::Result<ProjectObjectRow> {
        self.inner.get_object(project, id).await
    }

    async fn list_objects(
        &self,
        project: &str,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> weft_store::Result<Vec<ProjectObjectRow>> {
        self.inner.list_objects(project, prefix, after, limit).await
    }

    async fn delete_object(
        &self,
        project: &str,
        id: &str,
        expected_version: Option<i64>,
        loose_from: Timestamp,
    ) -> weft_store::Result<()> {
        self.inner.delete_object(project, id, expected_version, loose_from).await
    }

    async fn loose_contents(&self, at: Timestamp, limit: u32) -> weft_store::Result<Vec<Uuid>> {
        self.inner.loose_contents(at, limit).await
    }

    async fn forget_content(&self, content: Uuid) -> weft_store::Result<()> {
        self.inner.forget_content(content).await
    }
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite:{}", folder.path().join("weft.db").display());
        let stores = weft_store_sqlite::open(&database).await.unwrap();
        let bytes =
            Objects::open(&format!("file://{}", folder.path().join("bytes").display()), None).unwrap();
        let clock = Clock::manual(std::time::UNIX_EPOCH + Duration::from_hours(500_000));
        let is_unheard = Arc::new(AtomicBool::new(false));
        let store = Unheard { inner: stores.object, is_unheard: Arc::clone(&is_unheard) };
        let store: Arc<dyn ProjectObjectStore> = Arc::new(store);
        let stores = (Arc::clone(&store), bytes.clone());
        let all = ProjectObjects::new(&options(), stores, (clock.clone(), Ids::seeded(1)), Lifecycle::new());
        Self { folder, all, store, bytes, clock, is_unheard }
    }

    /// The same objects as another process has them.
    fn elsewhere(&self, lifecycle: Lifecycle) -> Arc<ProjectObjects> {
        let stores = (Arc::clone(&self.store), self.bytes.clone());
        ProjectObjects::new(&options(), stores, (self.clock.clone(), Ids::seeded(2)), lifecycle)
    }

    /// Waits until so many parts are there.
    async fn has_parts(&self, counts: impl std::ops::RangeBounds<usize>) {
        let has = async {
            while !counts.contains(&self.parts().await) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), has).await.expect("so many parts");
    }

    async fn put(&self, id: &str, bytes: &[u8]) -> Result<super::Saved, ObjectError> {
        let pieces: Vec<_> = bytes.chunks(100_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        self.all.upload(begin(id), stream::iter(pieces)).await
    }

    async fn whole(&self, id: &str) -> Bytes {
        let saved = self.all.get("p", id).await.unwrap();
        self.all.whole(saved, u64::MAX).await.unwrap()
    }

    async fn parts(&self) -> usize {
        self.bytes.list("objects", "", 1_000).await.unwrap().len()
    }

    async fn later(&self, span: Duration) {
        self.clock.advance(span);
        while self.all.sweep().await.unwrap() {}
    }
}

fn options() -> Options {
    Options {
        max_object_bytes: 3 * PART as u64,
        max_objects_per_project: 3,
        max_object_bytes_per_project: 5 * PART as u64,
        ..Options::default()
    }
}

fn begin(id: &str) -> Begin {
    Begin {
        project: "p".into(),
        id: id.into(),
        content_type: String::new(),
        only: Only::Always,
        sha256: String::new(),
        writer: "somebody".into(),
        unchanged: Unchanged::Write,
    }
}

/// Bytes that are nowhere the same.
fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

#[tokio::test]
async fn what_is_written_is_read_from_anywhere() {
    let world = World::new().await;
    for length in [0, 1, PART - 1, PART, PART + 1, 2 * PART + 77] {
        let written = bytes(length);
        world.put("o", &written).await.unwrap();
        assert!(world.whole("o").await == written, "{length}");
        for offset in [0, 1, length / 2, length.saturating_sub(1), length] {
            let saved = world.all.get("p", "o").await.unwrap();
            let read = world.all.read(saved, offset as u64).try_collect::<Vec<_>>().await.unwrap().concat();
            assert!(read == written[offset.min(length)..], "{length} from {offset}");
        }
        // What was replaced counts until it is removed.
        world.later(READING).await;
    }
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let world = World::new().await;
    world.put("o", &bytes(PART + 1)).await.unwrap();
    assert_eq!(world.parts().await, 2);
    // One that breaks off is gone at once, and what was there is as it was.
    let broken = stream::iter([Ok(bytes(PART + 1).into()), Err(ObjectError::Order)]);
    assert!(world.all.upload(begin("o"), broken).await.is_err());
    assert_eq!(world.parts().await, 2);
    assert_eq!(world.whole("o").await.len(), PART + 1);
    // What was replaced has its time, so that who reads it comes to an end.
    let old = world.all.get("p", "o").await.unwrap();
    world.put("o", b"new").await.unwrap();
    world.later(READING / 2).await;
    assert_eq!(world.all.whole(old.clone(), u64::MAX).await.unwrap().len(), PART + 1);
    world.later(READING).await;
    assert_eq!(world.parts().await, 1);
    assert!(world.all.whole(old, u64::MAX).await.is_err());
    assert_eq!(world.whole("o").await, "new");
    // Of one whose process died there is a row that says so.
    let life = Lifecycle::new();
    let dying = world.elsewhere(life.clone());
    let endless = dying.upload(begin("x"), stream::once(async { Ok(bytes(PART).into()) }).chain_pending());
    let (refused, ()) = tokio::join!(endless, async {
        world.has_parts(2..).await;
        life.shut_down(Duration::ZERO).await;
    });
    assert!(matches!(refused, Err(ObjectError::BrokenOff)));
    assert_eq!(world.parts().await, 2);
    world.later(ABANDONED / 2).await;
    assert_eq!(world.parts().await, 2);
    world.later(ABANDONED).await;
    assert_eq!(world.parts().await, 1);
    world.all.delete("p", "o", None).await.unwrap();
    world.later(READING).await;
    assert_eq!(world.parts().await, 0);
}

/// A stream that does not end after what it has.
trait ChainPending: futures::Stream + Sized {
    fn chain_pending(self) -> futures::stream::Chain<Self, futures::stream::Pending<Self::Item>> {
        futures::StreamExt::chain(self, stream::pending())
    }
}

impl<S: futures::Stream> ChainPending for S {}

#[tokio::test]
async fn quotas_hold_and_what_they_refuse_is_removed() {
    let world = World::new().await;
    assert!(matches!(world.put("large", &bytes(3 * PART + 1)).await, Err(ObjectError::TooLarge(_))));
    world.put("a", &bytes(3 * PART)).await.unwrap();
    assert!(matches!(world.put("b", &bytes(2 * PART + 1)).await, Err(ObjectError::TooMuch(_))));
    assert_eq!(world.parts().await, 3);
    world.put("b", &bytes(2 * PART)).await.unwrap();
    // What is replaced makes room once it is removed.
    world.put("a", b"").await.unwrap();
    assert!(matches!(world.put("a", b"x").await, Err(ObjectError::TooMuch(_))));
    world.put("c", b"").await.unwrap();
    assert!(matches!(world.put("d", b"").await, Err(ObjectError::TooMany(3))));
    world.later(READING * 2).await;
    assert_eq!(world.parts().await, 2);
    world.put("a", &bytes(3 * PART)).await.unwrap();
}

#[tokio::test]
async fn what_is_stored_is_bounded_also_while_it_is_written() {
    let world = World::new().await;
    let mut endless = Vec::new();
    for n in 0..4 {
        let id = format!("x{n}");
        let pieces = stream::once(async { Ok(bytes(2 * PART).into()) }).chain_pending();
        let all = Arc::clone(&world.all);
        let mut write = Box::pin(async move { all.upload(begin(&id), pieces).await });
        let written = tokio::time::timeout(Duration::from_secs(2), &mut write).await;
        endless.push((written, write));
    }
    // Two go on; the others are refused before they have written anything.
    assert_eq!(endless.iter().filter(|(written, _)| written.is_err()).count(), 2);
    let refused = |written: &Result<_, _>| matches!(written, Ok(Err(ObjectError::TooMuch(_))));
    assert_eq!(endless.iter().filter(|(written, _)| refused(written)).count(), 2);
    assert_eq!(world.parts().await, 4);
}

#[tokio::test]
async fn an_upload_whose_client_goes_gives_back_what_it_had() {
    let world = World::new().await;
    for ends in [false, true] {
        // The stream of a client that is gone may look as if it had ended.
        let (pieces, come) = tokio::sync::mpsc::unbounded_channel();
        pieces.send(Ok(bytes(2 * PART).into())).unwrap();
        let come = stream::unfold(come, |mut come| async { Some((come.recv().await?, come)) });
        let upload = world.all.upload(begin("o"), come);
        tokio::select! {
            _ = upload => panic!("it has not come whole"),
            () = world.has_parts(2..) => {}
        }
        if ends {
            drop(pieces);
        }
        world.has_parts(..1).await;
        assert!(matches!(world.all.get("p", "o").await, Err(ObjectError::NotFound(_))));
    }
    // Neither its bytes nor its places are counted any more.
    let freed = async {
        while world.put("o", &bytes(3 * PART)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), freed).await.expect("there is room");
    world.put("p", &bytes(2 * PART)).await.unwrap();
}

#[tokio::test]
async fn a_part_that_is_on_its_way_when_the_client_goes_is_removed_too() {
    let world = World::new().await;
    // As soon as the first part is there, while the others are written.
    let upload = world.all.upload(begin("o"), stream::iter([Ok(bytes(3 * PART).into())]).chain_pending());
    tokio::select! {
        _ = upload => panic!("it has not come whole"),
        () = world.has_parts(1..) => {}
    }
    world.has_parts(..1).await;
    // Nothing comes after it.
    world.later(ABANDONED).await;
    assert_eq!(world.parts().await, 0);
}

#[tokio::test]
async fn an_object_whose_write_was_not_heard_of_keeps_its_bytes() {
    let world = World::new().await;
    world.is_unheard.store(true, Ordering::SeqCst);
    assert!(matches!(world.put("o", b"bytes").await, Err(ObjectError::Store(_))));
    world.is_unheard.store(false, Ordering::SeqCst);
    world.later(ABANDONED * 2).await;
    assert_eq!(world.whole("o").await, "bytes");
    // And the same step again finds it.
    let again = Begin { unchanged: Unchanged::Keep, ..begin("o") };
    let again = world.all.write(again, Bytes::from_static(b"bytes")).await.unwrap();
    assert_eq!((again.row.version, world.parts().await), (1, 1));
}

#[tokio::test]
async fn content_that_cannot_be_removed_keeps_no_other() {
    let world = World::new().await;
    let stuck = world.put("stuck", b"1").await.unwrap().row.content;
    world.all.delete("p", "stuck", None).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    world.put("o", b"2").await.unwrap();
    world.all.delete("p", "o", None).await.unwrap();
    // A name that is no text, so that the folder cannot be read.
    let place = world.folder.path().join("bytes/objects").join(stuck.simple().to_string());
    let odd = place.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff"));
    std::fs::write(&odd, b"").unwrap();
    world.later(READING * 2).await;
    let left = std::fs::read_dir(place.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(left.collect::<Vec<_>>(), std::slice::from_ref(&place));
    // It is tried again, no more often than this.
    std::fs::remove_file(&odd).unwrap();
    world.later(Duration::from_secs(1)).await;
    assert!(place.exists());
    world.later(AGAIN).await;
    assert!(!place.exists());
}

#[tokio::test]
async fn a_repeat_is_no_conflict_with_itself() {
    let world = World::new().await;
    let write = async |only, unchanged, bytes: &'static [u8]| {
        let begin = Begin { only, unchanged, ..begin("o") };
        world.all.write(begin, Bytes::from_static(bytes)).await
    };
    let first = write(Only::IfAbsent, Unchanged::Write, b"one").await.unwrap();
    assert_eq!(write(Only::IfAbsent, Unchanged::Write, b"one").await.unwrap().row, first.row);
    assert!(matches!(write(Only::IfAbsent, Unchanged::Write, b"two").await, Err(ObjectError::Exists(_))));
    let second = write(Only::IfVersion(1), Unchanged::Write, b"two").await.unwrap();
    assert_eq!(write(Only::IfVersion(1), Unchanged::Write, b"two").await.unwrap().row, second.row);
    assert!(matches!(
        write(Only::IfVersion(1), Unchanged::Write, b"one").await,
        Err(ObjectError::Changed(_))
    ));
    assert_eq!(write(Only::Always, Unchanged::Keep, b"two").await.unwrap().row, second.row);
    assert_eq!(write(Only::Always, Unchanged::Write, b"two").await.unwrap().row.version, 3);
    let other = Begin { sha256: "00".repeat(32), ..begin("o") };
    let refused = world.all.write(other, Bytes::new()).await;
    assert!(matches!(refused, Err(ObjectError::OtherBytes(_))));
}

#[tokio::test]
async fn bytes_that_somebody_changed_are_not_taken_for_those_that_were_written() {
    let world = World::new().await;
    let saved = world.put("o", &bytes(1_000)).await.unwrap();
    let part = world.bytes.list("objects", "", 10).await.unwrap().remove(0).key;
    std::fs::write(world.folder.path().join("bytes").join(part), bytes(999)).unwrap();
    assert!(world.all.whole(saved.clone(), u64::MAX).await.is_err());
    let part = world.bytes.list("objects", "", 10).await.unwrap().remove(0).key;
    std::fs::write(world.folder.path().join("bytes").join(part), [0; 1_000]).unwrap();
    assert!(matches!(world.all.whole(saved, u64::MAX).await, Err(ObjectError::Corrupt(_))));
}
