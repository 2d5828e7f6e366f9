//! DismissDeliveries: many dead letters at once.

use weft_kit::Call;
use weft_proto::weft::trigger::v1::{DismissDeliveriesRequest, DismissDeliveriesResponse};

use super::{dismiss_delivery::dismiss, find::Search};
use crate::{Error, state::State};

/// Dead letters that are dismissed in one write.
const TOGETHER: u32 = 500;
/// Pages that one call looks at.
const PAGES: usize = 20;

pub(crate) async fn handle(
    state: &State,
    call: Call<DismissDeliveriesRequest>,
) -> Result<DismissDeliveriesResponse, Error> {
    let request = call.message;
    let search =
        Search::open(state, "DismissDeliveries", &request.parent, &request.filter).await?.only_dead();
    let (mut dismissed, mut before) = (0, None);
    for _ in 0..PAGES {
        let page = search.page(state, before, TOGETHER).await?;
        dismissed += dismiss(state, page.found).await?;
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    Ok(DismissDeliveriesResponse {
        dismissed_count: i32::try_from(dismissed).unwrap_or(i32::MAX),
        more_available: before.is_some(),
    })
}
