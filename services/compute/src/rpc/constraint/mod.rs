//! The methods of constraints. What they have in common: all constraints of a layout are one value of
//! its row, which is read, changed and written again where somebody else was faster.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod update;

use std::sync::Arc;

use weft_proto::weft::compute::v1::Constraint;
use weft_store::{LayoutRow, LayoutUpdate, MAX_PART_BYTES, Once, StoreError, Versioned, Written, once};

use crate::{
    Error,
    domain::{constraints::Constraints, name::LayoutName},
    session::Layouts,
};

/// Tries where others write at the same time.
const TRIES: usize = 8;

/// Changes the constraints of a layout, and tells its session. `edit` gives the answer, and may be
/// called again with what somebody else has written meanwhile. A repeat gets the first answer.
async fn change(
    layouts: &Arc<Layouts>,
    name: &LayoutName,
    once: Option<Once>,
    edit: &(dyn Fn(&LayoutRow, &mut Constraints) -> Result<Constraint, Error> + Sync),
) -> Result<Constraint, Error> {
    let session = super::session_if_room(layouts, super::row(layouts, name).await?).await?;
    let _writing = match &session {
        Some(session) => Some(session.writing().await),
        None => None,
    };
    let mut tries = 0;
    loop {
        let row = super::row(layouts, name).await?;
        let before = Constraints::of(&row, name)?;
        let mut constraints = before.clone();
        let answer = edit(&row, &mut constraints)?;
        let remember = once::remember(once.clone(), &answer);
        if constraints == before && remember.is_none() {
            return Ok(answer);
        }
        let encoded = constraints.encode();
        if encoded.len() > MAX_PART_BYTES {
            return Err(Error::Limit {
                reason: "CONSTRAINTS_TOO_LARGE",
                subject: name.to_string(),
                limit: MAX_PART_BYTES as u64,
                what: "bytes of constraints",
            });
        }
        let update = LayoutUpdate {
            uid: row.uid,
            expected_version: None,
            parameters: None,
            desired_state: None,
            pins: None,
            constraints: Some(encoded),
            expected_constraints_version: Some(row.constraints_version),
            held: session.as_ref().and_then(|session| session.epoch()),
            at: layouts.now(),
        };
        tries += 1;
        match layouts.store.update_layout(update, remember).await {
            Ok(Written::Done(row)) => {
                if let Some(session) = &session {
                    session.set_row(row);
                }
                return Ok(answer);
            }
            Ok(Written::Replayed(answer)) => return once::replay(&answer).map_err(Error::Store),
            Err(StoreError::Stale { of: Versioned::Version, .. }) if tries < TRIES => {}
            Err(error) => return Err(Error::store(name)(error)),
        }
    }
}

/// How many nodes the constraint of a layout in memory concerns.
fn node_count(layouts: &Layouts, row: &LayoutRow, uid: &str) -> i64 {
    layouts.peek(row.uid).map_or(0, |session| session.live().0.held.get(uid).copied().unwrap_or(0))
}
