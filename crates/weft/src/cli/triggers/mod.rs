//! `weft triggers`: what starts workflow graphs besides people, and what came of it.

mod deliveries;
mod show;
mod source;

use anyhow::{Context, Result};
use prost_types::FieldMask;
use weft_proto::weft::trigger::v1::{
    BackfillTriggerRequest, CreateTriggerRequest, DeleteTriggerRequest, FireTriggerRequest,
    GetTriggerRequest, ListTicksRequest, ListTicksResponse, ListTriggersRequest, ListTriggersResponse,
    PauseTriggerRequest, PreviewScheduleRequest, ResumeTriggerRequest, RotateTriggerTokenRequest, Trigger,
    UpdateTriggerRequest, trigger::Source,
};

use super::{
    identity::new_request_id,
    output::{self, OutputFormat},
};
use crate::client::{Connection, TriggerClient};

/// Triggers.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TriggersCommand {
    /// Create a trigger: a webhook (--webhook), a schedule (--cron, --every, --at), or an event (--after,
    /// --on-change, --on-alert, --on-message).
    Create(Box<Create>),
    /// List the triggers of a project.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Show one trigger, and the address of a webhook.
    Get {
        /// Name of the trigger, `projects/{project}/triggers/{trigger}`, or its id in the project `default`.
        name: String,
    },
    /// Change a trigger: what is given. A webhook, a schedule or an event is given as a whole.
    Update(Box<Update>),
    /// Hold a trigger: requests are refused, ticks and events pass by.
    Pause {
        /// Name of the trigger.
        name: String,
    },
    /// Let a trigger work again.
    Resume {
        /// Name of the trigger.
        name: String,
    },
    /// Start a run now.
    Fire {
        /// Name of the trigger.
        name: String,
        /// What the event has as its body, as a JSON object.
        #[arg(long, value_name = "JSON", default_value = "{}")]
        body: String,
    },
    /// Start a run as if an event had come from the trigger's source: with an example of it, or what is given.
    Test(deliveries::Test),
    /// Tell what comes to a trigger, and what becomes of it, until it is interrupted.
    Watch {
        /// Name of the trigger; `-` for all of the project `default`, `projects/{project}/triggers/-` for all of one.
        name: String,
    },
    /// Start a run for each tick of a schedule in a span of time that is over.
    Backfill {
        /// Name of the trigger.
        name: String,
        /// From when on, for example `2026-11-01T00:00:00Z`.
        #[arg(long)]
        from: String,
        /// Until when, this instant not included.
        #[arg(long)]
        until: String,
    },
    /// List what came to a trigger, the newest first.
    Deliveries {
        /// Name of the trigger; `-` for all of the project `default`, `projects/{project}/triggers/-` for all of one.
        name: String,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: i32,
        /// Only those that a filter matches, for example `state = failed`.
        #[arg(long, default_value = "")]
        filter: String,
    },
    /// Show one delivery, and what came with it.
    Delivery {
        /// Name of the delivery, or `{trigger}/{delivery}` of one in the project `default`.
        name: String,
    },
    /// Start a run again of what came with a delivery, or with all that a filter names.
    Redeliver {
        /// Name of the delivery, or `{trigger}/{delivery}`; with a filter, name of the trigger, or `-` for all.
        name: String,
        /// All that it matches, for example `state = skipped AND event_type = push`.
        #[arg(long)]
        filter: Option<String>,
    },
    /// Deliveries of which no run could be started for good.
    #[command(subcommand)]
    DeadLetters(deliveries::DeadLettersCommand),
    /// List the next ticks of a schedule.
    Upcoming {
        /// Name of the trigger.
        name: String,
        /// How many.
        #[arg(long, default_value_t = 10)]
        limit: i32,
    },
    /// List the next ticks of a schedule (--cron, --every, --at) that is not saved yet.
    Preview(Box<Preview>),
    /// Give a webhook another address. The one before is good no more.
    Rotate {
        /// Name of the trigger.
        name: String,
    },
    /// Delete a trigger.
    Delete {
        /// Name of the trigger.
        name: String,
    },
}

/// A trigger to create.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// Last part of its name.
    id: String,
    /// The workflow graph, by name or by its id in the project.
    graph: String,
    /// The project.
    #[arg(long, default_value = "default")]
    project: String,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    source: source::SourceArguments,
}

/// What is to be changed of a trigger.
#[derive(Debug, clap::Args)]
pub(crate) struct Update {
    /// Name of the trigger.
    name: String,
    /// The workflow graph, by name or by its id in the project.
    #[arg(long)]
    graph: Option<String>,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    source: source::SourceArguments,
}

/// A schedule to look at.
#[derive(Debug, clap::Args)]
pub(crate) struct Preview {
    /// The project.
    #[arg(long, default_value = "default")]
    project: String,
    /// How many.
    #[arg(long, default_value_t = 5)]
    limit: i32,
    #[command(flatten)]
    source: source::SourceArguments,
}

/// What is common to both.
#[derive(Debug, clap::Args)]
struct What {
    /// Name for people.
    #[arg(long)]
    display_name: Option<String>,
    /// What the run is given, as a JSON object with expressions: `{"ref": "${event.body.ref}"}`.
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// An expression that must hold, for example `event.type == "push"`.
    #[arg(long, value_name = "EXPRESSION")]
    condition: Option<String>,
}

impl What {
    fn fill(self, trigger: &mut Trigger, paths: &mut Vec<String>) -> Result<()> {
        let mut changed = |path: &str| paths.push(path.to_owned());
        if let Some(name) = self.display_name {
            trigger.display_name = name;
            changed("display_name");
        }
        if let Some(input) = self.input {
            trigger.input = Some(object(&input).context("--input")?);
            changed("input");
        }
        if let Some(condition) = self.condition {
            trigger.condition = condition;
            changed("condition");
        }
        Ok(())
    }
}

impl TriggersCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.triggers();
        let client = &mut client;
        let base = &connection.url;
        match self {
            Self::Create(create) => create.run(client, base, format).await,
            Self::List { project } => list(client, &project, base, format).await,
            Self::Get { name } => {
                let request = GetTriggerRequest { name: full(&name) };
                show::trigger(&client.get_trigger(request).await?.into_inner(), base, format)
            }
            Self::Update(update) => update.run(client, base, format).await,
            Self::Pause { name } => {
                let request = PauseTriggerRequest { name: full(&name) };
                show::trigger(&client.pause_trigger(request).await?.into_inner(), base, format)
            }
            Self::Resume { name } => {
                let request = ResumeTriggerRequest { name: full(&name) };
                show::trigger(&client.resume_trigger(request).await?.into_inner(), base, format)
            }
            Self::Fire { name, body } => {
                let body = Some(object(&body).context("--body")?);
                let request = FireTriggerRequest {
                    name: full(&name),
                    body,
                    request_id: new_request_id(),
                    ..FireTriggerRequest::default()
                };
                show::delivery(&client.fire_trigger(request).await?.into_inner(), format)
            }
            Self::Test(test) => test.run(client, format).await,
            Self::Watch { name } => deliveries::watch(client, full(&name), format).await,
            Self::Backfill { name, from, until } => backfill(client, &name, &from, &until, format).await,
            Self::Deliveries { name, limit, filter } => {
                deliveries::list(client, full(&name), filter, limit, format).await
            }
            Self::Delivery { name } => deliveries::look(client, &name, format).await,
            Self::Redeliver { name, filter: None } => deliveries::redeliver(client, &name, format).await,
            Self::Redeliver { name, filter: Some(filter) } => {
                deliveries::redeliver_all(client, full(&name), filter, format).await
            }
            Self::DeadLetters(command) => command.run(client, format).await,
            Self::Upcoming { name, limit } => {
                let request =
                    ListTicksRequest { parent: full(&name), page_size: limit, ..ListTicksRequest::default() };
                show::ticks(&client.list_ticks(request).await?.into_inner(), format)
            }
            Self::Preview(preview) => preview.run(client, format).await,
            Self::Rotate { name } => {
                let request = RotateTriggerTokenRequest { name: full(&name), request_id: new_request_id() };
                show::trigger(&client.rotate_trigger_token(request).await?.into_inner(), base, format)
            }
            Self::Delete { name } => {
                let name = full(&name);
                client
                    .delete_trigger(DeleteTriggerRequest { name: name.clone(), etag: String::new() })
                    .await?;
                output::deleted(&name, format);
                Ok(())
            }
        }
    }
}

impl Create {
    async fn run(self, client: &mut TriggerClient, base: &str, format: OutputFormat) -> Result<()> {
        let (source, secret) = self.source.read(&self.project, true)?;
        let mut trigger = Trigger { graph: graph(&self.project, &self.graph), source, ..Trigger::default() };
        self.what.fill(&mut trigger, &mut Vec::new())?;
        let request = CreateTriggerRequest {
            parent: format!("projects/{}", self.project),
            trigger_id: self.id,
            trigger: Some(trigger),
            request_id: new_request_id(),
        };
        let made = client.create_trigger(request).await?.into_inner();
        show::trigger(&made, base, format)?;
        if let (Some(secret), OutputFormat::Table) = (secret, format) {
            output::line(&format!("its secret is {secret}, and is not shown again"));
        }
        Ok(())
    }
}

impl Update {
    async fn run(self, client: &mut TriggerClient, base: &str, format: OutputFormat) -> Result<()> {
        let name = full(&self.name);
        let mut paths = Vec::new();
        let project = name.split('/').nth(1).unwrap_or_default();
        let (source, _) = self.source.read(project, false)?;
        if let Some(source) = &source {
            paths.push(source::field(source).to_owned());
        }
        let mut trigger = Trigger { name, source, ..Trigger::default() };
        if let Some(wanted) = &self.graph {
            let project = trigger.name.split('/').nth(1).unwrap_or_default();
            trigger.graph = graph(project, wanted);
            paths.push("graph".to_owned());
        }
        self.what.fill(&mut trigger, &mut paths)?;
        anyhow::ensure!(!paths.is_empty(), "say what is to be changed");
        let request = UpdateTriggerRequest { trigger: Some(trigger), update_mask: Some(FieldMask { paths }) };
        show::trigger(&client.update_trigger(request).await?.into_inner(), base, format)
    }
}

impl Preview {
    async fn run(self, client: &mut TriggerClient, format: OutputFormat) -> Result<()> {
        let (Some(Source::Schedule(schedule)), _) = self.source.read(&self.project, true)? else {
            anyhow::bail!("only a schedule has ticks: --cron, --every or --at");
        };
        let request = PreviewScheduleRequest {
            parent: format!("projects/{}", self.project),
            schedule: Some(schedule),
            max_ticks: self.limit,
        };
        let ticks = client.preview_schedule(request).await?.into_inner().ticks;
        show::ticks(&ListTicksResponse { ticks, next_page_token: String::new() }, format)
    }
}

async fn list(client: &mut TriggerClient, project: &str, base: &str, format: OutputFormat) -> Result<()> {
    let parent = format!("projects/{project}");
    let mut request = ListTriggersRequest { parent, page_size: 1_000, page_token: String::new() };
    let mut all = ListTriggersResponse::default();
    loop {
        let page = client.list_triggers(request.clone()).await?.into_inner();
        all.triggers.extend(page.triggers);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.trigger.v1.ListTriggersResponse");
    }
    show::triggers(&all.triggers, base);
    Ok(())
}

async fn backfill(
    client: &mut TriggerClient,
    name: &str,
    from: &str,
    until: &str,
    format: OutputFormat,
) -> Result<()> {
    let request = BackfillTriggerRequest {
        name: full(name),
        start_time: Some(from.parse().context("--from")?),
        end_time: Some(until.parse().context("--until")?),
        request_id: new_request_id(),
    };
    let made = client.backfill_trigger(request).await?.into_inner();
    if format == OutputFormat::Json {
        return output::json(&made, "weft.trigger.v1.BackfillTriggerResponse");
    }
    output::line(&format!("{} ticks are made up for", made.tick_count));
    Ok(())
}

/// The name of a trigger, of one in the project `default` where only its id is given.
fn full(name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("projects/default/triggers/{name}") }
}

fn graph(project: &str, name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("projects/{project}/graphs/{name}") }
}

fn object(text: &str) -> Result<prost_types::Struct> {
    let value: serde_json::Value = serde_json::from_str(text).context("is no JSON")?;
    anyhow::ensure!(value.is_object(), "must be a JSON object");
    Ok(weft_kit::json::to_struct(value))
}
