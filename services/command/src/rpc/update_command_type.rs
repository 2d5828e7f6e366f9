//! UpdateCommandType.

use prost::Message;
use weft_kit::Call;
use weft_proto::weft::command::v1::{CommandType, UpdateCommandTypeRequest};
use weft_store::{CommandTypeUpdate, StoreError};

use super::create_command_type::checked;
use crate::{Error, state::State, types};

/// How often a change is tried again because somebody else was faster.
const TRIES: usize = 8;

pub(crate) async fn handle(
    state: &State,
    call: Call<UpdateCommandTypeRequest>,
) -> Result<CommandType, Error> {
    let wanted = call.message.command_type.unwrap_or_default();
    let paths = call.message.update_mask.map(|mask| mask.paths).unwrap_or_default();
    let (project, id) = types::split(&wanted.name)?;
    if state.types.built_in(project, id).is_some() {
        return Err(Error::BuiltIn(wanted.name.clone()));
    }
    let mut tries = 0;
    loop {
        let row = state.store.get_command_type(project, id).await.map_err(types::not_found(&wanted.name))?;
        if !wanted.etag.is_empty() && wanted.etag != row.version.to_string() {
            return Err(Error::EtagMismatch(wanted.name));
        }
        let settings = checked(changed(types::read(&row)?, &wanted, &paths)?)?;
        let update = CommandTypeUpdate {
            uid: row.uid,
            expected_version: row.version,
            settings: settings.encode_to_vec().into(),
            at: state.now(),
        };
        let written = state.store.update_command_type(update).await;
        state.types.forget(&wanted.name);
        match written {
            Err(StoreError::Stale { .. }) if tries < TRIES => tries += 1,
            written => return types::read(&written.map_err(types::not_found(&wanted.name))?),
        }
    }
}

/// Fields that can be changed, whether a type has them set, and how one takes another's.
type Field = (&'static str, fn(&CommandType) -> bool, fn(&mut CommandType, &CommandType));

const FIELDS: &[Field] = &[
    ("display_name", |t| !t.display_name.is_empty(), |t, w| t.display_name.clone_from(&w.display_name)),
    ("description", |t| !t.description.is_empty(), |t, w| t.description.clone_from(&w.description)),
    (
        "arguments_schema",
        |t| t.arguments_schema.is_some(),
        |t, w| t.arguments_schema.clone_from(&w.arguments_schema),
    ),
    ("result_schema", |t| t.result_schema.is_some(), |t, w| t.result_schema.clone_from(&w.result_schema)),
    ("script", |t| !t.script.is_empty(), |t, w| t.script.clone_from(&w.script)),
    ("attempt_timeout", |t| t.attempt_timeout.is_some(), |t, w| t.attempt_timeout = w.attempt_timeout),
    ("retry", |t| t.retry.is_some(), |t, w| t.retry.clone_from(&w.retry)),
    ("max_parallel", |t| t.max_parallel != 0, |t, w| t.max_parallel = w.max_parallel),
    ("fail_if_interrupted", |t| t.fail_if_interrupted, |t, w| t.fail_if_interrupted = w.fail_if_interrupted),
    ("requires_approval", |t| t.requires_approval, |t, w| t.requires_approval = w.requires_approval),
];

fn changed(mut now: CommandType, wanted: &CommandType, paths: &[String]) -> Result<CommandType, Error> {
    if let Some(path) =
        paths.iter().find(|path| *path != "*" && FIELDS.iter().all(|field| field.0 != path.as_str()))
    {
        return Err(Error::field("update_mask", format!("{path:?} cannot be changed")));
    }
    for (name, is_set, take) in FIELDS {
        let is_meant = if paths.is_empty() {
            is_set(wanted)
        } else {
            paths.iter().any(|path| path == "*" || path == name)
        };
        if is_meant {
            take(&mut now, wanted);
        }
    }
    Ok(now)
}
