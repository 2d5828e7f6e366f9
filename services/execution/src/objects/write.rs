//! Writing an object: its parts first, then the row that has them.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, stream};
use prost::Message;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weft_store::{LooseContent, NewProjectObject, Only, PutObject, StoreError};

use super::{
    ABANDONED, LONGEST, ObjectError, PART, ProjectObjects, READING, Saved,
    kept::{self, Kept, hexadecimal},
    key,
    pace::Pace,
    places::Place,
    whole_name,
};

/// What is written, and when.
#[derive(Clone, Debug)]
pub(crate) struct Begin {
    pub(crate) project: String,
    pub(crate) id: String,
    pub(crate) content_type: String,
    pub(crate) only: Only,
    /// What its digest must be, in hexadecimal digits; anything when empty.
    pub(crate) sha256: String,
    /// Whoever writes.
    pub(crate) writer: String,
    pub(crate) unchanged: Unchanged,
}

/// What becomes of a write of the bytes that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unchanged {
    /// They are written.
    Write,
    /// Nothing: it is the same write again.
    Keep,
}

impl Begin {
    /// What must be there, as requests say it.
    pub(super) fn only(etag: &str, if_absent: bool) -> Result<Only, ObjectError> {
        Ok(match kept::version(etag)? {
            _ if if_absent => Only::IfAbsent,
            Some(version) => Only::IfVersion(version),
            None => Only::Always,
        })
    }
}

/// The same bytes, until nobody waits for what becomes of them: then they have not come whole, also where they seem to.
fn until_broken_off(
    bytes: impl Stream<Item = Result<Bytes, ObjectError>> + Send + 'static,
    broken_off: CancellationToken,
) -> impl Stream<Item = Result<Bytes, ObjectError>> + Send + 'static {
    stream::unfold(Some((Box::pin(bytes), broken_off)), |going| async move {
        let (mut bytes, broken_off) = going?;
        tokio::select! {
            biased;
            () = broken_off.cancelled() => Some((Err(ObjectError::BrokenOff), None)),
            piece = bytes.next() => Some((piece?, Some((bytes, broken_off)))),
        }
    })
}

/// Parts that were written.
struct Written {
    content: Uuid,
    size: u64,
    sha256: Vec<u8>,
}

impl ProjectObjects {
    /// Writes an object as its bytes come. Nothing of it is to be seen unless all has come.
    pub(crate) async fn upload(
        self: &Arc<Self>,
        begin: Begin,
        bytes: impl Stream<Item = Result<Bytes, ObjectError>> + Send + 'static,
    ) -> Result<Saved, ObjectError> {
        let place = self.uploads.enter(&begin.project).await?;
        self.take_to_its_end(place, begin, bytes).await
    }

    /// Writes an object of which all is here.
    pub(crate) async fn write(self: &Arc<Self>, begin: Begin, bytes: Bytes) -> Result<Saved, ObjectError> {
        let place = self.writes.enter(&begin.project).await?;
        self.take_to_its_end(place, begin, stream::iter([Ok(bytes)])).await
    }

    /// Takes what comes in a task of its own. Who drops this breaks the stream off and nothing else: a part that is on its way
    /// comes to its end, and then what the write has left behind is removed, and its place is free.
    async fn take_to_its_end(
        self: &Arc<Self>,
        place: Place,
        begin: Begin,
        bytes: impl Stream<Item = Result<Bytes, ObjectError>> + Send + 'static,
    ) -> Result<Saved, ObjectError> {
        let waits = CancellationToken::new();
        let bytes = until_broken_off(bytes, waits.clone());
        // Dropped with this.
        let _waits = waits.drop_guard();
        let (answer, saved) = oneshot::channel();
        let all = Arc::clone(self);
        self.lifecycle.spawn_future(async move {
            let _place = place;
            // Fails where nobody waits for it any more.
            drop(answer.send(all.take(begin, bytes).await));
        });
        saved.await.unwrap_or(Err(ObjectError::BrokenOff))
    }

    async fn take(
        &self,
        begin: Begin,
        bytes: impl Stream<Item = Result<Bytes, ObjectError>> + Send,
    ) -> Result<Saved, ObjectError> {
        let content = self.ids.uuid();
        let write = async {
            let written = self.parts(&begin.project, content, bytes).await?;
            self.turn(begin, written).await
        };
        let saved = tokio::time::timeout(LONGEST, write).await.unwrap_or(Err(ObjectError::TooSlow));
        let has_it = saved.as_ref().is_ok_and(|saved| saved.row.content == content);
        if !has_it && let Err(error) = self.leave(content, saved.as_ref().err()).await {
            tracing::warn!(%content, %error, "what a write has left behind is removed later");
        }
        saved
    }

    /// Removes what a write has left behind. One whose answer was lost may have been done all the same: what an object
    /// has by now is not noted any more, and stays.
    async fn leave(&self, content: Uuid, error: Option<&ObjectError>) -> Result<(), StoreError> {
        // A part may still be on its way.
        let is_unclear = matches!(error, Some(ObjectError::Store(_) | ObjectError::TooSlow));
        let from = if is_unclear { self.now().after(READING) } else { self.now() };
        let is_loose = self.store.reschedule_loose_content(content, from).await?;
        if is_loose && !is_unclear {
            self.remove(content).await?;
        }
        Ok(())
    }

    /// Notes that there will be so much of some content, if there may be.
    async fn note(&self, project: &str, content: Uuid, size: u64) -> Result<(), ObjectError> {
        let most = self.limits.project_bytes;
        let loose = LooseContent {
            content,
            project: project.to_owned(),
            size: i64::try_from(size).unwrap_or(i64::MAX),
            most_bytes: i64::try_from(most).unwrap_or(i64::MAX),
            from: self.now().after(ABANDONED),
        };
        let fits = self.store.note_loose_content(loose).await?;
        if fits { Ok(()) } else { Err(ObjectError::TooMuch(most)) }
    }

    /// Writes the parts as they come. They are counted before they are written.
    async fn parts(
        &self,
        project: &str,
        content: Uuid,
        bytes: impl Stream<Item = Result<Bytes, ObjectError>> + Send,
    ) -> Result<Written, ObjectError> {
        let mut bytes = std::pin::pin!(bytes);
        let (mut digest, mut size, mut parts) = (Sha256::new(), 0_u64, 0_u64);
        let (mut part, mut pace) = (BytesMut::new(), Pace::new());
        while let Some(piece) = pace.next(&mut bytes).await? {
            size += piece.len() as u64;
            if size > self.limits.object_bytes {
                return Err(ObjectError::TooLarge(self.limits.object_bytes));
            }
            digest.update(&piece);
            part.extend_from_slice(&piece);
            if part.len() >= PART {
                self.note(project, content, size).await?;
            }
            while part.len() >= PART {
                self.objects.put(&key(content, parts), part.split_to(PART).freeze()).await?;
                parts += 1;
            }
        }
        if !part.is_empty() || parts == 0 {
            self.note(project, content, size).await?;
        }
        if !part.is_empty() {
            self.objects.put(&key(content, parts), part.freeze()).await?;
        }
        Ok(Written { content, size, sha256: digest.finalize().to_vec() })
    }

    /// Turns the row to what was written.
    async fn turn(&self, begin: Begin, written: Written) -> Result<Saved, ObjectError> {
        let Begin { project, id, content_type, only, sha256, writer, unchanged } = begin;
        let digest = hexadecimal(&written.sha256);
        if !sha256.is_empty() && sha256 != digest {
            return Err(ObjectError::OtherBytes(digest));
        }
        let content_type = match content_type.trim() {
            "" => "application/octet-stream".to_owned(),
            content_type => content_type.to_owned(),
        };
        let name = whole_name(&project, &id);
        let kept = Kept { content_type, sha256: written.sha256, writer };
        let is_there = async || {
            let there = self.get(&project, &id).await.ok()?;
            let same = there.kept.sha256 == kept.sha256 && there.kept.content_type == kept.content_type;
            same.then_some(there)
        };
        if unchanged == Unchanged::Keep
            && let Some(there) = is_there().await
        {
            return Ok(there);
        }
        let now = self.now();
        let object = NewProjectObject {
            uid: self.ids.uuid(),
            project: project.clone(),
            id: id.clone(),
            content: written.content,
            size: i64::try_from(written.size).unwrap_or(i64::MAX),
            settings: kept.encode_to_vec().into(),
            only,
            most_objects: i64::try_from(self.limits.project_objects).unwrap_or(i64::MAX),
            most_bytes: i64::try_from(self.limits.project_bytes).unwrap_or(i64::MAX),
            at: now,
            loose_from: now.after(READING),
        };
        let refused = match self.store.put_object(object).await {
            Ok(PutObject::Done(row)) => return Saved::of(row),
            Ok(PutObject::TooMany) => return Err(ObjectError::TooMany(self.limits.project_objects)),
            Ok(PutObject::TooLarge) => return Err(ObjectError::TooMuch(self.limits.project_bytes)),
            Err(StoreError::AlreadyExists { .. }) => ObjectError::Exists(name),
            Err(StoreError::Stale { .. }) => ObjectError::Changed(name),
            Err(StoreError::NotFound { .. }) => ObjectError::NotFound(name),
            Err(error) => return Err(error.into()),
        };
        // A repeat of a write whose answer was lost finds what it has written itself.
        is_there().await.ok_or(refused)
    }
}
