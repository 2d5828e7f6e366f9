//! Communities that are kept up to date while their graph changes, for all who watch.
//!
//! ```text
//! watch.rs    somebody comes to watch
//! groups.rs   all that are kept here: begun for the first who watches, let go after the last
//! keeper.rs   what keeps one up to date: follows the graph, and computes when it has changed
//! telling.rs  one state, or the way from one to another, as messages
//! watcher.rs  one stream: pulled by its client, from what is newest then
//! ```

mod groups;
mod keeper;
mod telling;
mod watch;
mod watcher;

use std::sync::Arc;

use weft_kernels::analytics::LiveCommunities;

pub(crate) use groups::Groups;
pub(crate) use watch::watch;

use crate::{Error, domain::graph_copy::CopyError};

/// The communities of a graph at one revision.
#[derive(Clone, Debug)]
struct State {
    revision: i64,
    live: Arc<LiveCommunities>,
}

/// What there is to say of a graph's communities.
#[derive(Clone, Debug)]
enum News {
    /// They are not known yet.
    Nothing,
    Known(Arc<State>),
    /// There will be no more.
    Over(End),
}

/// Why communities are not kept up to date any more.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// The graph is gone, or another one has its name.
    GraphGone,
    /// The graph has grown larger than is taken here.
    TooLarge { limit: usize, what: &'static str },
    /// It would need more memory than analyses may use.
    TooMuchMemory { needed: u64, limit: u64 },
    /// The program has a fault.
    Broken,
}

impl End {
    /// As a client is told, at the graph of that name.
    fn error(self, graph: &str) -> Error {
        let subject = graph.to_owned();
        match self {
            Self::GraphGone => Error::GraphNotFound(subject),
            Self::TooLarge { limit, what } => {
                Error::Limit { reason: "GRAPH_TOO_LARGE", subject, limit: limit as u64, what }
            }
            Self::TooMuchMemory { needed, limit } => Error::TooMuchMemory { subject, needed, limit },
            Self::Broken => Error::Panicked,
        }
    }
}

impl From<CopyError> for End {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::TooLarge { limit, what } => Self::TooLarge { limit, what },
            CopyError::Inconsistent(_) => Self::Broken,
        }
    }
}
