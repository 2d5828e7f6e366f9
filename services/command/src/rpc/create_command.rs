//! CreateCommand: arguments are checked, targets are chosen, and all of it is on disk before the answer.

use bytes::Bytes;
use prost::Message;
use prost_types::Struct;
use weft_jobs::Submission;
use weft_kit::{Call, json};
use weft_proto::weft::command::v1::{Command, CreateCommandRequest};

use super::accept::{self, Request, accept};
use crate::{
    Error,
    domain::{
        approval, name,
        payload::{self, Payload},
        terms,
    },
    state::State,
    types::Kind,
};

/// Largest arguments, in bytes.
const LARGEST_ARGUMENTS: usize = 256 << 10;
/// Agents that are told in the command itself.
pub(super) const AGENTS_SHOWN: usize = 10;

pub(crate) async fn handle(state: &State, call: Call<CreateCommandRequest>) -> Result<Command, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    if request.validate_only {
        return Ok(plan(state, &caller.name, request, None).await?.shown);
    }
    let project = name::project(&request.parent);
    let once = accept::request(state, project, &caller.name, &request_id, &request.encode_to_vec());
    let planned = plan(state, &caller.name, request, once.clone()).await;
    accept(state, once.as_ref(), planned.map(|plan| plan.submission)).await
}

/// A command that can be accepted.
struct Plan {
    submission: Submission,
    /// As clients would see it.
    shown: Command,
}

async fn plan(
    state: &State,
    caller: &str,
    request: CreateCommandRequest,
    once: Option<Request>,
) -> Result<Plan, Error> {
    let CreateCommandRequest { parent, command_id, command, .. } = request;
    let project = name::project(&parent).to_owned();
    let mut command = command.unwrap_or_default();
    let name = accept::chosen(command_id)?;
    if name::command_type(&command.command_type).is_none_or(|(of, _)| of != project) {
        return Err(Error::field("command.command_type", "must be of the same project"));
    }
    let kind = state.types.get(&command.command_type).await?;
    let arguments = command.arguments.take().unwrap_or_default();
    let (payload, shown) = arguments_of(state, &kind, arguments)?;
    command.arguments = Some(shown);
    let mut command_type = kind.settings.clone();
    command_type.name.clone_from(&command.command_type);
    let terms = terms::of(&command, &command_type, state.options.ttl, state.now())?;
    let queues = queues(state, &parent, &mut command).await?;
    clear(&mut command);
    command.approval = approval::asked(&command_type);
    command.creator = caller.to_owned();
    command.target_count = i32::try_from(queues.len()).unwrap_or(i32::MAX);
    let submission = Submission {
        project,
        name,
        uid: state.ids.uuid(),
        kind: kind.id.clone(),
        terms,
        queues,
        payload,
        note: payload::note(&command),
        request: once,
    };
    Ok(Plan { submission, shown: command })
}

/// What agents are handed, and what people see of the arguments.
pub(super) fn arguments_of(state: &State, kind: &Kind, arguments: Struct) -> Result<(Bytes, Struct), Error> {
    let encoded = arguments.encode_to_vec();
    if encoded.len() > LARGEST_ARGUMENTS {
        return Err(Error::field("command.arguments", "are larger than 256 KiB"));
    }
    let mut value = json::of_struct(&arguments);
    if json::is_too_deep(&value) {
        return Err(Error::field("command.arguments", "are nested too deep"));
    }
    let violations = kind.arguments.as_ref().map(|schema| schema.violations(&value)).unwrap_or_default();
    if !violations.is_empty() {
        let path = |path: String| match path.as_str() {
            "" => "command.arguments".to_owned(),
            item if item.starts_with('[') => format!("command.arguments{item}"),
            member => format!("command.arguments.{member}"),
        };
        let violations = violations.into_iter().map(|(field, what)| (path(field), what)).collect();
        return Err(Error::BadArguments { command_type: kind.id.clone(), violations });
    }
    let secret = kind.arguments.as_ref().filter(|schema| schema.has_secrets());
    let (arguments, sealed, shown) = match secret {
        None => (encoded.into(), false, arguments),
        Some(schema) => {
            schema.redact(&mut value);
            (state.seal.seal(&[], &encoded, state.ids.bytes()), true, json::to_struct(value))
        }
    };
    let settings = &kind.settings;
    let payload = Payload {
        command_type: kind.id.clone(),
        script: settings.script.clone(),
        arguments,
        sealed,
        timeout_micros: terms::timeout(settings).as_micros() as u64,
        fail_if_interrupted: settings.fail_if_interrupted,
        result_schema: settings.result_schema.as_ref().map(Message::encode_to_vec).unwrap_or_default().into(),
    };
    Ok((payload.encode_to_vec().into(), shown))
}

/// The queues of those whom it is for; the first of them are kept in the command.
async fn queues(state: &State, parent: &str, command: &mut Command) -> Result<Vec<String>, Error> {
    match (command.agents.is_empty(), command.agent_filter.is_empty()) {
        (false, true) => {
            let queues = state.agents.named(parent, &command.agents).await?;
            command.agents.truncate(AGENTS_SHOWN);
            Ok(queues)
        }
        (true, false) => {
            let found = state.agents.matching(parent, &command.agent_filter).await?;
            command.agents = found.iter().take(AGENTS_SHOWN).map(|(agent, _)| agent.clone()).collect();
            Ok(found.into_iter().map(|(_, queue)| queue).collect())
        }
        (true, true) => Err(Error::field("command.agents", "name agents, or a filter")),
        (false, false) => Err(Error::field("command.agent_filter", "give either agents or a filter")),
    }
}

/// What only the server says.
fn clear(command: &mut Command) {
    let Command {
        name,
        uid,
        state,
        target_count,
        pending_count,
        executing_count,
        completed_count,
        failed_count,
        cancelled_count,
        creator,
        create_time,
        end_time,
        approval,
        retry_of,
        ..
    } = command;
    for count in
        [state, target_count, pending_count, executing_count, completed_count, failed_count, cancelled_count]
    {
        *count = 0;
    }
    for text in [name, uid, creator, retry_of] {
        text.clear();
    }
    (*create_time, *end_time, *approval) = (None, None, None);
}
