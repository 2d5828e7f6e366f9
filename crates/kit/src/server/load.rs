//! How much at once: a process that is full says so at once instead of growing slow for all.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use crate::{Problem, config::LimitOptions};

/// Places for calls and for streams.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Load {
    pub(crate) fn new(options: &LimitOptions) -> Self {
        Self {
            calls: Arc::new(Semaphore::new(options.max_calls)),
            streams: Arc::new(Semaphore::new(options.max_streams)),
        }
    }

    /// A place, kept until the answer is sent; none left: UNAVAILABLE with a time to try again.
    pub(crate) fn admit(&self, streaming: bool) -> Result<OwnedSemaphorePermit, Status> {
        let places = if streaming { &self.streams } else { &self.calls };
        Arc::clone(places).try_acquire_owned().map_err(|_| {
            let what = if streaming { "streams" } else { "calls" };
            Problem::unavailable(
                "OVERLOADED",
                format!("this process has as many {what} as it takes on at once"),
            )
            .retry_after(Duration::from_millis(500))
            .into()
        })
    }
}
