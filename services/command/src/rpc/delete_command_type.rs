//! DeleteCommandType: commands of it stay, and go on.

use weft_kit::Call;
use weft_proto::weft::command::v1::DeleteCommandTypeRequest;

use crate::{Error, state::State, types};

pub(crate) async fn handle(state: &State, call: Call<DeleteCommandTypeRequest>) -> Result<(), Error> {
    let DeleteCommandTypeRequest { name: full, etag } = call.message;
    let (project, id) = types::split(&full)?;
    if state.types.built_in(project, id).is_some() {
        return Err(Error::BuiltIn(full));
    }
    let expected = match etag.as_str() {
        "" => None,
        etag => Some(etag.parse().map_err(|_| Error::EtagMismatch(full.clone()))?),
    };
    let deleted = state.store.delete_command_type(project, id, expected).await;
    state.types.forget(&full);
    deleted.map_err(types::not_found(&full))
}
