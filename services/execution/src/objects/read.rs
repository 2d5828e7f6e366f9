//! Reading an object: part by part, and looking whether it is what was written.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{Stream, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::{ObjectError, PART, ProjectObjects, Saved, key};

/// Bytes that are read at once.
const PIECE: u64 = 512 << 10;

struct Reading {
    objects: Arc<ProjectObjects>,
    saved: Saved,
    at: u64,
    /// Of what was read, where it is read from its beginning.
    digest: Option<Sha256>,
}

impl ProjectObjects {
    /// The bytes of an object from an offset on. One that is read whole and is not what was written ends with an error.
    pub(crate) fn read(
        self: &Arc<Self>,
        saved: Saved,
        offset: u64,
    ) -> impl Stream<Item = Result<Bytes, ObjectError>> + Send + use<> {
        let digest = (offset == 0).then(Sha256::new);
        let reading = Reading { objects: Arc::clone(self), saved, at: offset, digest };
        stream::try_unfold(reading, |mut reading| async {
            Ok(reading.next().await?.map(|bytes| (bytes, reading)))
        })
    }

    /// All bytes of an object that has no more than so many.
    pub(crate) async fn whole(self: &Arc<Self>, saved: Saved, most: u64) -> Result<Bytes, ObjectError> {
        if saved.size() > most {
            return Err(ObjectError::TooLarge(most));
        }
        let mut whole = BytesMut::with_capacity(saved.size() as usize);
        let mut pieces = std::pin::pin!(self.read(saved, 0));
        while let Some(piece) = pieces.try_next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, ObjectError> {
        let size = self.saved.size();
        if self.at >= size {
            let digest = self.digest.take().map(Sha256::finalize);
            return match digest {
                Some(digest) if digest[..] != *self.saved.sha256() => {
                    Err(ObjectError::Corrupt(self.saved.name()))
                }
                _ => Ok(None),
            };
        }
        let (part, from) = (self.at / PART as u64, self.at % PART as u64);
        let length = PIECE.min(PART as u64 - from).min(size - self.at);
        let key = key(self.saved.row.content, part);
        let bytes = self.objects.objects.get_range(&key, from..from + length).await?;
        self.at += bytes.len() as u64;
        if bytes.is_empty() {
            return Err(ObjectError::Corrupt(self.saved.name()));
        }
        if let Some(digest) = &mut self.digest {
            digest.update(&bytes);
        }
        Ok(Some(bytes))
    }
}
