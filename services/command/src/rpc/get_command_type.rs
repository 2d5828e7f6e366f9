//! GetCommandType.

use weft_kit::Call;
use weft_proto::weft::command::v1::{CommandType, GetCommandTypeRequest};

use crate::{Error, state::State, types};

pub(crate) async fn handle(state: &State, call: Call<GetCommandTypeRequest>) -> Result<CommandType, Error> {
    let full = &call.message.name;
    let (project, id) = types::split(full)?;
    if let Some(built_in) = state.types.built_in(project, id) {
        return Ok(built_in);
    }
    types::read(&state.store.get_command_type(project, id).await.map_err(types::not_found(full))?)
}
