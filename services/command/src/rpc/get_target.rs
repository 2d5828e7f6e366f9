//! GetTarget.

use weft_kit::Call;
use weft_proto::weft::command::v1::{GetTargetRequest, Target};

use super::find;
use crate::{Error, domain::message, state::State};

pub(crate) async fn handle(state: &State, call: Call<GetTargetRequest>) -> Result<Target, Error> {
    let (batch, job) = find::job(state, &call.message.name).await?;
    Ok(message::target(&batch, &job))
}
