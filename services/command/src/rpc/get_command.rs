//! GetCommand.

use weft_kit::Call;
use weft_proto::weft::command::v1::{Command, GetCommandRequest};

use super::find;
use crate::{Error, state::State};

pub(crate) async fn handle(state: &State, call: Call<GetCommandRequest>) -> Result<Command, Error> {
    let batch = find::batch(state, &call.message.name).await?;
    find::command(state, &batch).await
}
