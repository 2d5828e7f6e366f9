//! How slowly an upload may come. Time to wait is a budget: waiting spends it, bytes bring it back, and it never grows
//! over what it was at first. So a client may be silent for a while, and nobody holds a place with a byte now and then.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::time::Instant;

use super::ObjectError;

/// How long a client may be silent.
const IDLE: Duration = Duration::from_mins(1);
/// Bytes that a second of waiting must bring, once that is used up.
const PER_SECOND: u32 = 1024;

/// The pace of one upload.
pub(super) struct Pace {
    left: Duration,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { left: IDLE }
    }

    /// The next bytes, if they come in time. A piece without any is none.
    pub(super) async fn next<S>(&mut self, bytes: &mut S) -> Result<Option<Bytes>, ObjectError>
    where
        S: Stream<Item = Result<Bytes, ObjectError>> + Unpin,
    {
        loop {
            let begun = Instant::now();
            let next = tokio::time::timeout(self.left, bytes.next()).await;
            let piece = next.map_err(|_| ObjectError::Stalled)?.transpose()?;
            self.left = self.left.saturating_sub(begun.elapsed());
            match piece {
                Some(empty) if empty.is_empty() && self.left.is_zero() => return Err(ObjectError::Stalled),
                Some(empty) if empty.is_empty() => {}
                Some(piece) => {
                    let earned = Duration::from_secs(piece.len() as u64) / PER_SECOND;
                    self.left = (self.left + earned).min(IDLE);
                    return Ok(Some(piece));
                }
                None => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    /// For how long an upload lives whose pieces come with pauses between them, and whether it came whole.
    async fn lives(pieces: usize, size: usize, pause: Duration) -> (Duration, bool) {
        let came = stream::unfold(0, move |count| async move {
            tokio::time::sleep(pause).await;
            (count < pieces).then(|| (Ok::<_, ObjectError>(Bytes::from(vec![0; size])), count + 1))
        });
        let (mut came, mut pace, begun) = (Box::pin(came), Pace::new(), Instant::now());
        loop {
            match pace.next(&mut came).await {
                Ok(Some(_)) => {}
                end => return (begun.elapsed(), end.is_ok()),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_is_not_enough_and_a_slow_line_is() {
        assert_eq!(lives(1, 1, IDLE * 2).await, (IDLE, false));
        for size in [0, 1, 500] {
            let (lived, whole) = lives(100_000, size, Duration::from_secs(1)).await;
            assert!(!whole && lived < IDLE * 2, "{size}: {lived:?}");
        }
        assert_eq!(lives(600, 2_048, Duration::from_secs(1)).await, (Duration::from_secs(601), true));
        // What came fast before gives no more time than everybody has.
        assert!(lives(2, 4 << 20, IDLE.saturating_sub(Duration::from_secs(1))).await.1);
        assert!(!lives(2, 4 << 20, IDLE + Duration::from_secs(1)).await.1);
    }
}
