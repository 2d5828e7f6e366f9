//! Where large objects are kept: a folder, or a bucket of an S3 service. Chosen by URL, like the databases.
//!
//! An object is written whole or not at all, and is never changed in place. `Ok` means that it is durable: in a
//! folder after `fsync` of the file and its folder, in S3 when the service has answered.

use std::{collections::BinaryHeap, fmt, ops::Range, path::Path as FilePath, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload, aws::AmazonS3Builder, local::LocalFileSystem,
    path::Path,
};

use crate::{OpenError, Result, StoreError, Timestamp};

/// Most bytes in an object: it is sent in one request, which is what makes writing it atomic.
pub const MAX_OBJECT_BYTES: usize = 64 << 20;
/// Most bytes in a key.
pub const MAX_KEY_BYTES: usize = 512;

/// Credentials for an S3 service.
#[derive(Clone)]
pub struct Credentials {
    /// The access key's id.
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was written.
    pub written: Timestamp,
}

/// A place for objects.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// What all keys begin with in the store.
    prefix: Path,
    /// Whether the store lists keys in order.
    ordered: bool,
    shown: String,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("place", &self.shown).finish_non_exhaustive()
    }
}

impl Objects {
    /// Opens a place by URL.
    ///
    /// - `file:///PATH` is a folder, which is made if it is not there.
    /// - `s3://BUCKET[/PREFIX]` is a bucket, which must exist. `?endpoint=URL` names a service other than
    ///   Amazon's, `region=NAME` a region other than `us-east-1`. Without credentials, the machine's own are
    ///   taken: the usual `AWS_…` variables, or the role of the instance or the pod.
    ///
    /// The first bucket that a process opens makes *ring* the provider of its TLS, unless it has one.
    pub fn open(url: &str, credentials: Option<Credentials>) -> std::result::Result<Self, OpenError> {
        let (place, options) = url.split_once('?').unwrap_or((url, ""));
        if let Some(path) = place.strip_prefix("file://") {
            if !options.is_empty() {
                return Err(OpenError::Url("a folder takes no options".into()));
            }
            return Self::open_folder(path);
        }
        match place.strip_prefix("s3://") {
            Some(bucket) => Self::open_bucket(bucket, options, credentials, place),
            None => Err(OpenError::Url("must begin with \"file://\" or \"s3://\"".into())),
        }
    }

    fn open_folder(path: &str) -> std::result::Result<Self, OpenError> {
        if !FilePath::new(path).is_absolute() {
            return Err(OpenError::Url("file:// must be followed by an absolute path".into()));
        }
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Unavailable {
            path: path.to_owned(),
            source,
        };
        std::fs::create_dir_all(path).map_err(|error| failed(error.into()))?;
        let store = LocalFileSystem::new_with_prefix(path).map_err(|error| failed(error.into()))?;
        // A folder within it is there for as long as something is in it.
        let store = Arc::new(store.with_fsync(true).with_automatic_cleanup(true));
        Ok(Self { store, prefix: Path::default(), ordered: false, shown: format!("file://{path}") })
    }

    fn open_bucket(
        bucket: &str,
        options: &str,
        credentials: Option<Credentials>,
        shown: &str,
    ) -> std::result::Result<Self, OpenError> {
        let (bucket, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
        if bucket.is_empty() {
            return Err(OpenError::Url("s3:// must be followed by a bucket".into()));
        }
        let prefix = Path::parse(prefix).map_err(|error| OpenError::Url(error.to_string()))?;
        let mut builder = match credentials {
            None => AmazonS3Builder::from_env(),
            Some(Credentials { access_key_id, secret_access_key }) => AmazonS3Builder::new()
                .with_access_key_id(access_key_id)
                .with_secret_access_key(secret_access_key),
        };
        builder = builder.with_bucket_name(bucket);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            builder = match option.split_once('=') {
                Some(("endpoint", endpoint)) => {
                    builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"))
                }
                Some(("region", region)) => builder.with_region(region),
                other => {
                    // The value is not repeated: it may be a secret in the wrong place.
                    let name = other.map_or(option, |(name, _)| name);
                    return Err(OpenError::Url(format!("unknown option {name:?}")));
                }
            };
        }
        // The HTTP client panics without. The one value of its kind that belongs to a whole process, and the
        // same in each: fails when it is set already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = builder.build().map_err(|error| OpenError::Url(error.to_string()))?;
        Ok(Self { store: Arc::new(store), prefix, ordered: true, shown: shown.to_owned() })
    }

    /// Writes an object, instead of the one that has the key.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        if bytes.len() > MAX_OBJECT_BYTES {
            return Err(StoreError::Invalid { field: "object", reason: "is larger than 64 MiB" });
        }
        self.store.put(&self.path(key)?, PutPayload::from(bytes)).await.map_err(fault)?;
        Ok(())
    }

    /// Reads an object. One that is larger than `most_bytes` is refused before it is read.
    pub async fn get(&self, key: &str, most_bytes: usize) -> Result<Bytes> {
        let found = self.store.get(&self.path(key)?).await.map_err(fault)?;
        if found.meta.size > most_bytes as u64 {
            return Err(StoreError::Invalid { field: "object", reason: "is larger than the reader allows" });
        }
        found.bytes().await.map_err(fault)
    }

    /// Reads a part of an object, all of which must be there.
    pub async fn get_range(&self, key: &str, bytes: Range<u64>) -> Result<Bytes> {
        self.store.get_range(&self.path(key)?, bytes).await.map_err(fault)
    }

    /// Removes an object. One that is not there is no error.
    pub async fn delete(&self, key: &str) -> Result<()> {
        match self.store.delete(&self.path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }

    /// Objects by key whose keys lie in a folder (all when empty): those after `after` (all when empty), at most
    /// `limit`.
    pub async fn list(&self, folder: &str, after: &str, limit: usize) -> Result<Vec<ObjectInfo>> {
        let folder = if folder.is_empty() { self.prefix.clone() } else { self.path(folder)? };
        let mut found = if after.is_empty() {
            self.store.list(Some(&folder))
        } else {
            self.store.list_with_offset(Some(&folder), &self.path(after)?)
        };
        // A folder lists in no order: keep the first of all that come, never more than asked for.
        let mut first = BinaryHeap::new();
        while first.len() < limit || (!self.ordered && limit > 0) {
            let Some(meta) = found.try_next().await.map_err(fault)? else { break };
            first.push(ByKey(self.info(&meta)));
            if first.len() > limit {
                first.pop();
            }
        }
        Ok(first.into_sorted_vec().into_iter().map(|ByKey(info)| info).collect())
    }

    fn info(&self, meta: &ObjectMeta) -> ObjectInfo {
        let path = meta.location.as_ref();
        let key = path.strip_prefix(self.prefix.as_ref()).unwrap_or(path).trim_start_matches('/').to_owned();
        ObjectInfo {
            key,
            bytes: meta.size,
            written: Timestamp::from_micros(meta.last_modified.timestamp_micros()),
        }
    }

    /// The place of a key in the store: refuses what would lead out of it.
    fn path(&self, key: &str) -> Result<Path> {
        let invalid = |reason| StoreError::Invalid { field: "key", reason };
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(invalid("must have 1 to 512 bytes"));
        }
        let path =
            Path::parse(key).map_err(|_| invalid("must be names joined by '/', none of them '.' or '..'"))?;
        if path.as_ref() != key {
            return Err(invalid("must not begin or end with '/'"));
        }
        Ok(self.prefix.parts().chain(path.parts()).collect())
    }
}

/// Compares by key only.
#[derive(PartialEq, Eq)]
struct ByKey(ObjectInfo);

impl Ord for ByKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.key.cmp(&other.0.key)
    }
}

impl PartialOrd for ByKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

fn fault(error: object_store::Error) -> StoreError {
    match error {
        object_store::Error::NotFound { .. } => StoreError::NotFound { what: "object" },
        other => StoreError::unavailable(other),
    }
}
