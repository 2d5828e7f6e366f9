//! `command`: a command to agents, and what became of it.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value as Json, json};
use weft_kit::Peer;
use weft_proto::weft::command::v1::{
    CancelCommandRequest, Command as Sent, CommandState, CreateCommandRequest, ListTargetsRequest,
    WatchCommandRequest, command_service_client::CommandServiceClient, watch_command_response::Event,
};

use super::{Attempt, Behaviour, FAILURE, Kind, Move, Outside, Port, Settings, outside::of_status};
use crate::domain::{expression::Variables, fault::StepError, template::Template};

/// Targets whose results are given.
const TARGETS: i32 = 1_000;

pub(crate) struct Command;

impl Kind for Command {
    fn name(&self) -> &'static str {
        "command"
    }
    fn title(&self) -> &'static str {
        "Command"
    }
    fn description(&self) -> &'static str {
        "Sends a command to agents, waits until it has ended, and gives what each of them answered. Fails if it fails \
         on any of them."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what expressions call `input`")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "object", "`command`, and `targets` with their results"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "command_type": {"type": "string", "description": "its id, for example \"system-info\", with expressions"},
            "arguments": {"type": "object", "description": "arguments, with expressions"},
            "agents": {"description": "ids of agents, as a list, with expressions"},
            "agent_filter": {"type": "string", "description": "or a filter over agents, with expressions"},
        });
        (properties, &["command_type"])
    }
    fn acts(&self) -> bool {
        true
    }
    fn stops_itself(&self) -> bool {
        true
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        if settings.get("agents").is_some() == settings.get("agent_filter").is_some() {
            settings.wrong("agents", "give either `agents` or `agent_filter`");
        }
        Box::new(Asked(["command_type", "arguments", "agents", "agent_filter"].map(|name| {
            let template = if name == "command_type" {
                settings.template(name)
            } else {
                settings.template_or(name, Json::Null)
            };
            (name, template)
        })))
    }
    fn perform<'a>(
        &'a self,
        outside: &'a Outside,
        attempt: &'a Attempt,
        request: Arc<Json>,
    ) -> BoxFuture<'a, Result<Json, StepError>> {
        Box::pin(send(outside, attempt, request))
    }
}

struct Asked([(&'static str, Template); 4]);

impl Behaviour for Asked {
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        let filled = self.0.iter().map(|(name, template)| Ok(((*name).to_owned(), template.fill(step)?)));
        Ok(Move::Perform(Arc::new(Json::Object(filled.collect::<Result<Map<_, _>, StepError>>()?))))
    }
}

async fn send(outside: &Outside, attempt: &Attempt, request: Arc<Json>) -> Result<Json, StepError> {
    const CREATE: &str = "/weft.command.v1.CommandService/CreateCommand";
    let method = weft_proto::methods().get(CREATE);
    let method = method.ok_or_else(|| StepError::new("UNKNOWN_METHOD", CREATE))?;
    let parent = format!("projects/{}", attempt.project);
    attempt.may_call(method, Some(&parent))?;
    let mut client = CommandServiceClient::new(outside.peer(method)?);
    let id = |value: &Json, of: &str| match value.as_str() {
        Some(full) if full.starts_with("projects/") => full.to_owned(),
        Some(id) => format!("{parent}/{of}/{id}"),
        None => String::new(),
    };
    let agents = request["agents"].as_array().map(Vec::as_slice).unwrap_or_default();
    let command = Sent {
        command_type: id(&request["command_type"], "commandTypes"),
        arguments: request["arguments"]
            .is_object()
            .then(|| weft_kit::json::to_struct(request["arguments"].clone())),
        agents: agents.iter().map(|agent| id(agent, "agents")).collect(),
        agent_filter: request["agent_filter"].as_str().unwrap_or_default().to_owned(),
        ..Sent::default()
    };
    let create = CreateCommandRequest {
        parent,
        command: Some(command),
        request_id: attempt.request_id(),
        ..CreateCommandRequest::default()
    };
    let failed = |status: tonic::Status| of_status(&status);
    let created = client.create_command(create).await.map_err(failed)?.into_inner();
    let ended = tokio::select! {
        ended = ended(&client, &created.name) => ended?,
        () = attempt.stop.cancelled() => {
            let cancel = CancelCommandRequest { name: created.name.clone() };
            client.cancel_command(cancel).await.map_err(failed)?;
            return Err(StepError::new("CANCELLED", "it was cancelled"));
        }
    };
    let list = ListTargetsRequest { parent: created.name.clone(), page_size: TARGETS, ..Default::default() };
    let targets = client.list_targets(list).await.map_err(failed)?.into_inner().targets;
    let target = |target: &weft_proto::weft::command::v1::Target| {
        json!({
            "agent": target.agent,
            "state": target.state().as_str_name().trim_start_matches("COMMAND_STATE_"),
            "reason": target.reason,
            "message": target.message,
            "result": target.result.as_ref().map(weft_kit::json::of_struct),
        })
    };
    if ended.state() != CommandState::Completed {
        let first = targets.iter().find(|target| target.state() != CommandState::Completed);
        let why = first.map(|target| format!("{}: {} {}", target.agent, target.reason, target.message));
        let message = format!("{} {}", created.name, why.unwrap_or_default());
        return Err(StepError::passing("COMMAND_FAILED", message));
    }
    Ok(json!({"command": created.name, "targets": targets.iter().map(target).collect::<Vec<_>>()}))
}

/// The command, once it has ended. A watch that breaks off is begun again by the step's next attempt, which finds
/// the same command.
async fn ended(client: &CommandServiceClient<Peer>, name: &str) -> Result<Sent, StepError> {
    let request = WatchCommandRequest { name: name.to_owned(), ..WatchCommandRequest::default() };
    let failed = |status: tonic::Status| of_status(&status);
    let mut events = client.clone().watch_command(request).await.map_err(failed)?.into_inner();
    let mut last = None;
    while let Some(message) = events.message().await.map_err(failed)? {
        if let Some(Event::Changes(changes)) = message.event {
            last = changes.command.or(last);
        }
    }
    last.filter(|command| command.end_time.is_some())
        .ok_or_else(|| StepError::passing("GRPC_UNAVAILABLE", "the watch of the command broke off"))
}
