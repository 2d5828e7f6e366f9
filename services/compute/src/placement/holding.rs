//! What a session has of its layout: nothing yet, an epoch under which it writes, or nothing any more.

use uuid::Uuid;
use weft_store::{SavedUnder, StoreError};

use super::Placement;
use crate::Error;

/// What a session has of its layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It was asked for.
    Asked,
    /// Nobody else simulates it. The epoch is absent where there is nobody else.
    Has(Option<i64>),
    /// Another process has it, or may have it.
    Lost,
}

/// What was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) epoch: Option<i64>,
    /// Which saved positions count.
    pub(crate) saved: SavedUnder,
}

impl Placement {
    /// Takes a layout for this process.
    ///
    /// # Errors
    /// Another process has it, or it cannot be known.
    pub(crate) async fn take(&self, layout: Uuid) -> Result<Taken, Error> {
        let Some((members, holds)) = self.shared_by() else { return Ok(Taken::default()) };
        members.present().await?;
        let hold = match holds.take_hold(layout, members.uid(), members.now()).await {
            Ok(hold) => hold,
            Err(StoreError::AlreadyExists { .. }) => return Err(Error::Moving),
            Err(error) => return Err(Error::store(layout)(error)),
        };
        self.meter.taken.inc();
        Ok(Taken { epoch: Some(hold.epoch), saved: hold.saved })
    }

    /// Gives a layout back. If that fails, others wait until the lease is over.
    pub(crate) async fn leave(&self, layout: Uuid, epoch: Option<i64>, awake: bool) {
        let (Some(holds), Some(epoch)) = (&self.holds, epoch) else { return };
        match holds.leave_hold(layout, epoch, awake).await {
            Ok(()) => {
                self.meter.given_back.inc();
            }
            Err(error) => tracing::warn!(%layout, %error, "a layout could not be given back"),
        }
    }
}
