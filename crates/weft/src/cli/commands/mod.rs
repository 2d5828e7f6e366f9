//! `weft commands`: what agents are asked to do.

mod decide;
mod show;
mod submit;
mod types;
mod watch;

use anyhow::Result;
use weft_proto::weft::command::v1::{
    CancelCommandRequest, CancelTargetRequest, GetCommandRequest, GetStatisticsRequest, ListCommandsRequest,
    ListTargetsRequest, RetryCommandRequest,
};

use super::{
    identity::new_request_id,
    output::{self, OutputFormat},
};
use crate::client::Connection;

/// Commands for agents.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum CommandsCommand {
    /// Ask agents to do something. Exits with 1 if `--wait` sees it fail.
    Submit(Box<submit::Submit>),
    /// List commands, the newest first.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
        /// Only those that match, for example `state = failed`.
        #[arg(long, default_value = "")]
        filter: String,
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one command and its targets.
    Get {
        /// Name of the command, `projects/{project}/commands/{command}`, or its last part.
        name: String,
        /// The project, where the name is a last part.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Tell how a command goes and what it writes, until it has ended. Exits with 1 if it fails.
    Watch {
        /// Name of the command, or its last part.
        name: String,
        /// The project, where the name is a last part.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// End a command: what waits ends at once, what runs is stopped.
    Cancel {
        /// Name of the command, or its last part.
        name: String,
        /// Only on this agent: the last part of its name.
        #[arg(long)]
        agent: Option<String>,
        /// The project, where the name is a last part.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Let a command start that waits for a second person.
    Approve(decide::Decide),
    /// Cancel a command that waits for a second person.
    Reject(decide::Decide),
    /// Try once more what failed or was cancelled, as a command of its own.
    Retry {
        /// Name of the command, or its last part.
        name: String,
        /// Makes a repeat harmless: a UUID. Made up if not given.
        #[arg(long)]
        request_id: Option<String>,
        /// Wait until it has ended, and exit with 1 if it fails.
        #[arg(long)]
        wait: bool,
        /// The project, where the name is a last part.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Count commands by type and state.
    Stats {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// What can be asked.
    #[command(subcommand)]
    Types(types::TypesCommand),
}

/// A name, made whole where it is a last part.
fn whole(project: &str, collection: &str, name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("projects/{project}/{collection}/{name}") }
}

impl CommandsCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.commands();
        match self {
            Self::Submit(submit) => submit.run(&mut client, format).await,
            Self::List { project, filter, limit } => {
                let request = ListCommandsRequest {
                    parent: format!("projects/{project}"),
                    filter,
                    ..ListCommandsRequest::default()
                };
                show::list(&mut client, request, limit, format).await
            }
            Self::Get { name, project } => {
                let name = whole(&project, "commands", &name);
                let command =
                    client.get_command(GetCommandRequest { name: name.clone() }).await?.into_inner();
                show::command(&command, format)?;
                if format == OutputFormat::Json {
                    return Ok(());
                }
                let request = ListTargetsRequest { parent: name, ..ListTargetsRequest::default() };
                show::targets(&mut client, request).await
            }
            Self::Watch { name, project } => {
                watch::follow(&mut client, whole(&project, "commands", &name), format).await
            }
            Self::Cancel { name, agent: Some(agent), project } => {
                let name = format!("{}/targets/{agent}", whole(&project, "commands", &name));
                let target = client.cancel_target(CancelTargetRequest { name }).await?.into_inner();
                show::target(&target, format)
            }
            Self::Cancel { name, agent: None, project } => {
                let request = CancelCommandRequest { name: whole(&project, "commands", &name) };
                let command = client.cancel_command(request).await?.into_inner();
                show::command(&command, format)
            }
            Self::Approve(decide) => show::command(&decide.approve(&mut client).await?, format),
            Self::Reject(decide) => show::command(&decide.reject(&mut client).await?, format),
            Self::Retry { name, request_id, wait, project } => {
                let request = RetryCommandRequest {
                    name: whole(&project, "commands", &name),
                    command_id: String::new(),
                    request_id: request_id.unwrap_or_else(new_request_id),
                };
                let command = client.retry_command(request).await?.into_inner();
                submit::accepted(&mut client, command, wait, format).await
            }
            Self::Stats { project } => {
                let request =
                    GetStatisticsRequest { parent: format!("projects/{project}"), start_time: None };
                let counts = client.get_statistics(request).await?.into_inner();
                if format == OutputFormat::Json {
                    return output::json(&counts, "weft.command.v1.CommandStatistics");
                }
                let rows = counts.counts.iter().map(|count| {
                    vec![
                        count.command_type.clone(),
                        show::state_word(count.state()).to_owned(),
                        output::number(count.command_count),
                        output::number(count.target_count),
                    ]
                });
                output::table(&["type", "state", "commands", "targets"], &[2, 3], rows);
                Ok(())
            }
            Self::Types(command) => command.run(&mut client, format).await,
        }
    }
}
