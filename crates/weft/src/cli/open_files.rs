//! How many files may be open: a connection is one, and a process that has none left can neither take
//! in a connection nor open its database.

use rustix::process::{Resource, getrlimit, setrlimit};

/// What a process opens beside its connections.
const OTHERS: u64 = 256;

/// Raises the limit as far as this process may, and says so if that is too little for `connections`.
pub(super) fn allow(connections: usize) {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    let wanted = connections as u64 + OTHERS;
    if let Some(limit) = getrlimit(Resource::Nofile).current.filter(|limit| *limit < wanted) {
        tracing::warn!(
            limit,
            wanted,
            "fewer files may be open than server.max_connections needs: raise the limit (ulimit -n) or lower that"
        );
    }
}
