//! CreateCommandType.

use prost::Message;
use weft_kit::Call;
use weft_proto::weft::command::v1::{CommandType, CreateCommandTypeRequest};
use weft_store::{CommandTypeRow, NewCommandType, StoreError, Written, once};

use crate::{
    Error,
    domain::{name, schema::Schema, terms},
    state::State,
    types,
};

/// Largest schema, in bytes.
const LARGEST_SCHEMA: usize = 64 << 10;

pub(crate) async fn handle(
    state: &State,
    call: Call<CreateCommandTypeRequest>,
) -> Result<CommandType, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = once::request(&caller.name, "CreateCommandType", &request_id, &request);
    if let Some(once) = &once
        && let Some(answer) = state.store.recall(once).await.map_err(Error::reused)?
    {
        return once::replay(&answer);
    }
    let settings = checked(request.command_type.take().unwrap_or_default())?;
    let project = name::project(&request.parent).to_owned();
    let id = if request.command_type_id.is_empty() { state.ids.short() } else { request.command_type_id };
    let full = name::of_type(&project, &id);
    if state.types.built_in(&project, &id).is_some() {
        return Err(Error::TypeExists(full));
    }
    let new = NewCommandType {
        project,
        id,
        uid: state.ids.uuid(),
        settings: settings.encode_to_vec().into(),
        at: state.now(),
    };
    let answer = types::read(&as_row(&new))?;
    let written = state.store.create_command_type(new, once::remember(once, &answer)).await;
    state.types.forget(&full);
    match written {
        Ok(Written::Done(row)) => types::read(&row),
        Ok(Written::Replayed(answer)) => once::replay(&answer),
        Err(StoreError::AlreadyExists { .. }) => Err(Error::TypeExists(full)),
        Err(error) => Err(Error::reused(error)),
    }
}

/// What is kept of a type, if it can be one.
pub(super) fn checked(settings: CommandType) -> Result<CommandType, Error> {
    for (field, schema) in [
        ("command_type.arguments_schema", &settings.arguments_schema),
        ("command_type.result_schema", &settings.result_schema),
    ] {
        let Some(schema) = schema else { continue };
        if schema.encoded_len() > LARGEST_SCHEMA {
            return Err(Error::field(field, "is larger than 64 KiB"));
        }
        Schema::compile(schema).map_err(|problem| Error::field(field, problem))?;
    }
    terms::check(&settings)?;
    Ok(CommandType {
        name: String::new(),
        uid: String::new(),
        built_in: false,
        create_time: None,
        update_time: None,
        etag: String::new(),
        ..settings
    })
}

fn as_row(new: &NewCommandType) -> CommandTypeRow {
    CommandTypeRow {
        project: new.project.clone(),
        id: new.id.clone(),
        uid: new.uid,
        settings: new.settings.clone(),
        version: 1,
        created: new.at,
        updated: new.at,
    }
}
