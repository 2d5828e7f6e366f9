//! `weft run`, `weft executions`, `weft workflows`: workflow graphs and their runs.

mod limits;
mod show;
mod watch;
mod workflows;

use std::io::Read;

use anyhow::{Context, Result};
use prost_types::Struct;
use serde_json::Value as Json;
use weft_proto::weft::execution::v1::{
    CancelExecutionRequest, CreateExecutionRequest, DecideApprovalRequest, DeleteExecutionRequest, Execution,
    ExecutionPriority, GetExecutionRequest, GetStepRequest, ListExecutionsRequest, PauseExecutionRequest,
    ResumeExecutionRequest, RetryExecutionRequest, SignalExecutionRequest, TerminateExecutionRequest,
};

use super::output::{self, OutputFormat};
use crate::client::Connection;

pub(crate) use workflows::WorkflowsCommand;

/// Run a workflow graph.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// Name of the graph, `projects/{project}/graphs/{graph}`, or its last part.
    graph: String,
    /// The project, where the name is a last part.
    #[arg(long, default_value = "default")]
    project: String,
    /// What the run is given: a JSON object, `@FILE` or `-` for standard input.
    #[arg(long, default_value = "{}")]
    input: String,
    /// Name for people.
    #[arg(long, default_value = "")]
    title: String,
    /// Last part of the execution's name; made up when not given.
    #[arg(long, default_value = "")]
    id: String,
    /// Makes a repeat harmless: a UUID.
    #[arg(long)]
    request_id: Option<String>,
    /// Wait for a person instead of failing.
    #[arg(long)]
    pause_on_failure: bool,
    /// How urgent it is where it waits for limits.
    #[arg(long, default_value = "normal")]
    priority: Priority,
    /// Tell how it goes until it has ended.
    #[arg(long, short)]
    follow: bool,
}

/// How urgent an execution is.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Priority {
    High,
    Normal,
    Low,
}

/// Which execution, and in which project.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Name of the execution, `projects/{project}/executions/{execution}`, or its last part.
    name: String,
    /// The project, where the name is a last part.
    #[arg(long, default_value = "default")]
    project: String,
}

impl Which {
    fn name(&self) -> String {
        whole(&self.project, "executions", &self.name)
    }
}

/// Runs of workflow graphs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ExecutionsCommand {
    /// List executions, the newest first.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
        /// Only those that match, for example `state = failed AND graph = "orders"`.
        #[arg(long, default_value = "")]
        filter: String,
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one execution, with what it was given and gave.
    Get(Which),
    /// List the steps of an execution.
    Steps(Which),
    /// Show one step, with what it was given and gave.
    Step {
        #[command(flatten)]
        which: Which,
        /// Number of the step.
        step: u32,
    },
    /// Tell how an execution goes until it has ended. Exits with 1 if it fails.
    Watch(Which),
    /// End an execution: nothing begins any more, and what it has begun elsewhere is told to stop.
    Cancel(Which),
    /// End an execution at once, and leave alone what it has begun elsewhere.
    Terminate(Which),
    /// Hold an execution: what runs may finish, nothing begins.
    Pause(Which),
    /// Let a paused execution go on.
    Resume(Which),
    /// Give an execution a signal.
    Signal {
        #[command(flatten)]
        which: Which,
        /// Name of the signal.
        signal: String,
        /// What comes with it: JSON, `@FILE` or `-`.
        #[arg(long, default_value = "null")]
        payload: String,
    },
    /// Go on from what failed, or from a step.
    Retry {
        #[command(flatten)]
        which: Which,
        /// Number of the step to go on from.
        #[arg(long, default_value_t = 0)]
        from: i32,
        /// With the graph as it is now.
        #[arg(long)]
        newest: bool,
    },
    /// Answer a step that waits for a person: yes.
    Approve(Answer),
    /// Answer a step that waits for a person: no.
    Reject(Answer),
    /// Forget an execution that has ended.
    Delete(Which),
    /// How many executions run at once, or start in a time.
    #[command(subcommand)]
    Limits(limits::LimitsCommand),
}

/// An answer to a step.
#[derive(Debug, clap::Args)]
pub(crate) struct Answer {
    #[command(flatten)]
    which: Which,
    /// Number of the step.
    step: u32,
    /// What is filled in: a JSON object, `@FILE` or `-`.
    #[arg(long, default_value = "{}")]
    form: String,
    /// What else is to be said.
    #[arg(long, default_value = "")]
    comment: String,
}

/// A name, made whole where it is a last part.
fn whole(project: &str, collection: &str, name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("projects/{project}/{collection}/{name}") }
}

/// JSON as it was typed, or out of a file, or of standard input.
fn json(text: &str) -> Result<Json> {
    let read = match (text.strip_prefix('@'), text) {
        (Some(file), _) => std::fs::read_to_string(file).with_context(|| file.to_owned())?,
        (None, "-") => {
            let mut all = String::new();
            std::io::stdin().read_to_string(&mut all)?;
            all
        }
        (None, text) => text.to_owned(),
    };
    serde_json::from_str(&read).context("this is no JSON")
}

fn object(text: &str) -> Result<Struct> {
    let json = json(text)?;
    anyhow::ensure!(json.is_object(), "this must be a JSON object");
    Ok(weft_kit::json::to_struct(json))
}

impl Run {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.executions();
        let graph = whole(&self.project, "graphs", &self.graph);
        let project = weft_kit::project_of(&graph).unwrap_or(&self.project).to_owned();
        let execution = Execution {
            graph,
            input: Some(object(&self.input)?),
            display_name: self.title,
            pause_on_failure: self.pause_on_failure,
            priority: match self.priority {
                Priority::High => ExecutionPriority::High,
                Priority::Normal => ExecutionPriority::Unspecified,
                Priority::Low => ExecutionPriority::Low,
            }
            .into(),
            ..Execution::default()
        };
        let request = CreateExecutionRequest {
            parent: format!("projects/{project}"),
            execution_id: self.id,
            execution: Some(execution),
            // A repeat after a lost answer is the same execution.
            request_id: self.request_id.unwrap_or_else(|| weft_kit::Ids::system().uuid().to_string()),
            ..CreateExecutionRequest::default()
        };
        let created = client.create_execution(request).await?.into_inner();
        if self.follow {
            return watch::follow(&mut client, created.name, format).await;
        }
        show::execution(&created, format)
    }
}

impl ExecutionsCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.executions();
        let changed = match self {
            Self::List { project, filter, limit } => {
                let request = ListExecutionsRequest {
                    parent: format!("projects/{project}"),
                    filter,
                    ..ListExecutionsRequest::default()
                };
                return show::list(&mut client, request, limit, format).await;
            }
            Self::Steps(which) => return show::steps(&mut client, which.name(), format).await,
            Self::Step { which, step } => {
                let request = GetStepRequest { name: format!("{}/steps/{step}", which.name()) };
                let step = client.get_step(request).await?.into_inner();
                return show::step(&step, format);
            }
            Self::Limits(command) => return command.run(&mut client, format).await,
            Self::Watch(which) => return watch::follow(&mut client, which.name(), format).await,
            Self::Approve(answer) => return answer.give(&mut client, true, format).await,
            Self::Reject(answer) => return answer.give(&mut client, false, format).await,
            Self::Delete(which) => {
                client.delete_execution(DeleteExecutionRequest { name: which.name() }).await?;
                output::deleted(&which.name(), format);
                return Ok(());
            }
            Self::Get(which) => client.get_execution(GetExecutionRequest { name: which.name() }).await?,
            Self::Cancel(which) => {
                client.cancel_execution(CancelExecutionRequest { name: which.name() }).await?
            }
            Self::Terminate(which) => {
                client.terminate_execution(TerminateExecutionRequest { name: which.name() }).await?
            }
            Self::Pause(which) => {
                client.pause_execution(PauseExecutionRequest { name: which.name() }).await?
            }
            Self::Resume(which) => {
                client.resume_execution(ResumeExecutionRequest { name: which.name() }).await?
            }
            Self::Signal { which, signal, payload } => {
                let wrapped = weft_kit::json::to_struct(serde_json::json!({"v": json(&payload)?}));
                let request = SignalExecutionRequest {
                    name: which.name(),
                    signal,
                    payload: wrapped.fields.into_values().next(),
                    request_id: weft_kit::Ids::system().uuid().to_string(),
                };
                client.signal_execution(request).await?
            }
            Self::Retry { which, from, newest } => {
                let request = RetryExecutionRequest {
                    name: which.name(),
                    from_step: from,
                    newest_graph: newest,
                    request_id: weft_kit::Ids::system().uuid().to_string(),
                };
                client.retry_execution(request).await?
            }
        };
        show::execution(&changed.into_inner(), format)
    }
}

impl Answer {
    async fn give(
        self,
        client: &mut crate::client::ExecutionClient,
        approved: bool,
        format: OutputFormat,
    ) -> Result<()> {
        let request = DecideApprovalRequest {
            name: format!("{}/steps/{}", self.which.name(), self.step),
            approved,
            form: Some(object(&self.form)?),
            comment: self.comment,
        };
        show::step(&client.decide_approval(request).await?.into_inner(), format)
    }
}
