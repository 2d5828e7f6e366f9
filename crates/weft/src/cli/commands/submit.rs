//! `weft commands submit`.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value as Json};
use weft_kit::json;
use weft_proto::weft::command::v1::{Command, CommandPriority, CreateCommandRequest};

use super::{show, watch, whole};
use crate::{
    cli::{
        identity::new_request_id,
        output::{self, OutputFormat},
    },
    client::CommandClient,
};

/// What is asked, and of whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Submit {
    /// What to do: name of a command type, or its last part (`weft commands types list`).
    command_type: String,
    /// Who is to do it: name of an agent, or its last part; may be given several times.
    #[arg(long)]
    agent: Vec<String>,
    /// All agents that match are to do it, for example `labels.site = "north"`.
    #[arg(long, default_value = "")]
    agents: String,
    /// Arguments, as a JSON object; `-` reads it from standard input, where no list of processes shows it.
    #[arg(long, value_name = "JSON")]
    arguments: Option<String>,
    /// One argument, `KEY=VALUE`, where a value that is no JSON is a text; may be given several times.
    #[arg(long, short = 'a', value_name = "KEY=VALUE", value_parser = argument)]
    argument: Vec<(String, Json)>,
    /// The project.
    #[arg(long, default_value = "default")]
    project: String,
    /// Last part of the command's name; made up if not given.
    #[arg(long, default_value = "")]
    id: String,
    /// What it is for.
    #[arg(long, default_value = "")]
    display_name: String,
    /// How urgent.
    #[arg(long, value_enum, default_value_t = Priority::Normal)]
    priority: Priority,
    /// Start nothing before (RFC 3339).
    #[arg(long, value_parser = instant)]
    not_before: Option<prost_types::Timestamp>,
    /// What has not ended by then fails (RFC 3339).
    #[arg(long, value_parser = instant)]
    deadline: Option<prost_types::Timestamp>,
    /// How long it waits for an agent that is away, in seconds; a day if not given.
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u32>,
    /// How many agents work on it at a time; 0: all.
    #[arg(long, default_value_t = 0)]
    max_parallel: i32,
    /// After so many failures the others are cancelled; 0: never.
    #[arg(long, default_value_t = 0)]
    stop_after_failures: i32,
    /// Makes a repeat harmless: a UUID.
    #[arg(long)]
    request_id: Option<String>,
    /// Only check it.
    #[arg(long)]
    check: bool,
    /// Wait for its end, and show what is written meanwhile.
    #[arg(long, conflicts_with = "check")]
    wait: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Priority {
    High,
    Normal,
    Low,
}

fn argument(text: &str) -> Result<(String, Json), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Json::String(value.to_owned()));
    Ok((key.to_owned(), value))
}

fn instant(text: &str) -> Result<prost_types::Timestamp, String> {
    text.parse().map_err(|_| "must be a time as in 2026-11-21T18:00:00Z".to_owned())
}

/// Tells of a command that was accepted, and maybe waits for its end.
pub(super) async fn accepted(
    client: &mut CommandClient,
    command: Command,
    wait: bool,
    format: OutputFormat,
) -> Result<()> {
    if wait {
        return watch::follow(client, command.name, format).await;
    }
    match format {
        OutputFormat::Json => output::json(&command, "weft.command.v1.Command"),
        // The name alone on standard output, so that it can be used.
        OutputFormat::Table => {
            output::line(&command.name);
            Ok(())
        }
    }
}

impl Submit {
    pub(super) async fn run(self, client: &mut CommandClient, format: OutputFormat) -> Result<()> {
        let (wait, check) = (self.wait, self.check);
        let command = client.create_command(self.request()?).await?.into_inner();
        if check { show::command(&command, format) } else { accepted(client, command, wait, format).await }
    }

    fn request(self) -> Result<CreateCommandRequest> {
        let arguments = self.arguments()?;
        let project = &self.project;
        let command = Command {
            command_type: whole(project, "commandTypes", &self.command_type),
            arguments: Some(json::to_struct(arguments)),
            agents: self.agent.iter().map(|agent| whole(project, "agents", agent)).collect(),
            agent_filter: self.agents,
            priority: match self.priority {
                Priority::High => CommandPriority::High,
                Priority::Normal => CommandPriority::Normal,
                Priority::Low => CommandPriority::Low,
            }
            .into(),
            not_before_time: self.not_before,
            deadline_time: self.deadline,
            ttl: self.ttl.map(|seconds| prost_types::Duration { seconds: seconds.into(), nanos: 0 }),
            max_parallel: self.max_parallel,
            stop_after_failures: self.stop_after_failures,
            display_name: self.display_name,
            ..Command::default()
        };
        Ok(CreateCommandRequest {
            parent: format!("projects/{project}"),
            command_id: self.id,
            command: Some(command),
            request_id: self.request_id.unwrap_or_else(new_request_id),
            validate_only: self.check,
        })
    }

    fn arguments(&self) -> Result<Json> {
        let text = match self.arguments.as_deref() {
            None => None,
            Some("-") => Some(std::io::read_to_string(std::io::stdin())?),
            Some(text) => Some(text.to_owned()),
        };
        let mut arguments: Json = match text {
            None => Json::Object(Map::new()),
            Some(text) => serde_json::from_str(&text).context("--arguments is no JSON")?,
        };
        ensure!(arguments.is_object(), "--arguments must be a JSON object");
        for (key, value) in &self.argument {
            arguments[key] = value.clone();
        }
        Ok(arguments)
    }
}
