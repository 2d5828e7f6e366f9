//! How much at once: a process that is full says so at once instead of growing slow for all.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tonic::Status;

use crate::{Problem, config::LimitOptions};

/// Places for calls and for streams.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    calls: Arc<Places>,
    streams: Arc<Places>,
}

#[derive(Debug)]
struct Places {
    taken: AtomicUsize,
    most: usize,
}

/// A place among those of a process, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Places>);

impl Load {
    pub(crate) fn new(options: &LimitOptions) -> Self {
        let places = |most| Arc::new(Places { taken: AtomicUsize::new(0), most });
        Self { calls: places(options.max_calls), streams: places(options.max_streams) }
    }

    /// A place, kept until the answer is sent; none left: UNAVAILABLE with a time to try again.
    pub(crate) fn admit(&self, streaming: bool) -> Result<Place, Status> {
        let places = if streaming { &self.streams } else { &self.calls };
        // Counted first: of two who come at once to the last place, one has it and one gives back what he took.
        let place = Place(Arc::clone(places));
        if places.taken.fetch_add(1, Ordering::Relaxed) < places.most {
            return Ok(place);
        }
        let what = if streaming { "streams" } else { "calls" };
        Err(Problem::unavailable(
            "OVERLOADED",
            format!("this process has as many {what} as it takes on at once"),
        )
        .retry_after(Duration::from_millis(500))
        .into())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_streams_have_places_of_their_own() {
        let load = Load::new(&LimitOptions { max_calls: 2, max_streams: 1, ..LimitOptions::default() });
        let calls = [load.admit(false).expect("a first"), load.admit(false).expect("a second")];
        for _ in 0..3 {
            let status = load.admit(false).expect_err("a third");
            assert_eq!(status.code(), tonic::Code::Unavailable);
        }
        let stream = load.admit(true).expect("a stream");
        assert!(load.admit(true).is_err());
        drop((calls, stream));
        assert!(load.admit(false).is_ok() && load.admit(true).is_ok());
    }
}
