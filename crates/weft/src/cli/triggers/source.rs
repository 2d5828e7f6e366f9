//! Webhooks, schedules and events as people type them.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use weft_kit::Ids;
use weft_proto::weft::{
    execution::v1::ExecutionState,
    telemetry::v1::{AlertSeverity, AlertState},
    trigger::v1::{
        AlertSource, ExecutionEndSource, GraphChangeSource, HmacAlgorithm, HmacEncoding, HmacSignature,
        MessageSource, OverlapPolicy, ScheduleSource, Tick, WebhookProvider, WebhookSource, trigger::Source,
    },
};

use crate::cli::telemetry::duration;

/// A webhook, a schedule, or an event.
#[derive(Debug, clap::Args)]
pub(super) struct SourceArguments {
    /// A webhook, called by this one.
    #[arg(long, value_enum, conflicts_with_all = ["cron", "every", "at"])]
    webhook: Option<Provider>,
    /// File with what requests are signed with, or the password; one is made up and shown if not given.
    #[arg(long, value_name = "FILE", requires = "webhook")]
    secret_file: Option<PathBuf>,
    /// The name that comes with a password (basic).
    #[arg(long, requires = "webhook")]
    username: Option<String>,
    /// The header that has the signature (hmac).
    #[arg(long, value_name = "NAME", requires = "webhook")]
    header: Option<String>,
    /// What stands before the signature (hmac), for example `sha256=`.
    #[arg(long, default_value = "", requires = "header")]
    prefix: String,
    /// Signed with SHA-512 instead of SHA-256 (hmac).
    #[arg(long, requires = "header")]
    sha512: bool,
    /// The signature is written as base64 instead of hexadecimal (hmac).
    #[arg(long, requires = "header")]
    base64: bool,
    /// The header with the time of sending (hmac).
    #[arg(long, default_value = "", value_name = "NAME", requires = "header")]
    timestamp_header: String,
    /// The header that names a delivery (hmac).
    #[arg(long, default_value = "", value_name = "NAME", requires = "header")]
    id_header: String,
    /// How far the time of sending may be from now (5m if not given).
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "webhook")]
    tolerance: Option<Duration>,
    /// How many requests are taken in a second (what the mesh is set to if not given).
    #[arg(long, default_value_t = 0, value_name = "NUMBER", requires = "webhook")]
    max_per_second: i32,
    /// How many are taken at once before that counts (ten seconds' worth if not given).
    #[arg(long, default_value_t = 0, value_name = "NUMBER", requires = "webhook")]
    max_burst: i32,
    /// Answer with what the run gives, if it ends within so long.
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "webhook")]
    wait: Option<Duration>,
    /// The end of a run of this workflow graph, by name or by its id in the project; of any where it is `any`.
    #[arg(long, value_name = "GRAPH", conflicts_with_all = ["webhook", "cron", "every", "at", "on_change"])]
    after: Option<String>,
    /// Only where it ended so; may be given several times.
    #[arg(long, value_enum, requires = "after")]
    ended: Vec<Ended>,
    /// Also runs of the graph that this trigger runs.
    #[arg(long, requires = "after")]
    include_own_runs: bool,
    /// A change of this graph, by name or by its id in the project.
    #[arg(long, value_name = "GRAPH", conflicts_with_all = ["webhook", "cron", "every", "at"])]
    on_change: Option<String>,
    /// Only where a node of this type was written, or any was deleted; may be given several times.
    #[arg(long, value_name = "TYPE", requires = "on_change")]
    node_type: Vec<String>,
    /// Only where an edge of this type was written or deleted; may be given several times.
    #[arg(long, value_name = "TYPE", requires = "on_change")]
    edge_type: Vec<String>,
    /// An alert of this rule, by name or by its id in the project; of any where it is `any`.
    #[arg(long, value_name = "RULE", conflicts_with_all = ["webhook", "cron", "every", "at", "after", "on_change"])]
    on_alert: Option<String>,
    /// Only alerts that are as bad as this, or worse.
    #[arg(long, value_enum, requires = "on_alert")]
    severity: Option<Severity>,
    /// Only where it begins to fire, or is over.
    #[arg(long, value_enum, requires = "on_alert")]
    alert_state: Option<AlertIs>,
    /// A message that a run publishes to this topic of the project.
    #[arg(
        long,
        value_name = "TOPIC",
        conflicts_with_all = ["webhook", "cron", "every", "at", "after", "on_change", "on_alert"]
    )]
    on_message: Option<String>,
    /// What is changed within so long is one delivery (2s if not given).
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "on_change")]
    debounce: Option<Duration>,
    /// A schedule: a cron expression of five fields, or six with seconds before them.
    #[arg(long, value_name = "EXPRESSION", conflicts_with_all = ["every", "at"])]
    cron: Option<String>,
    /// The time zone of the cron expression, for example `Europe/Berlin`.
    #[arg(long, default_value = "", requires = "cron")]
    zone: String,
    /// A schedule: so far apart.
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "at")]
    every: Option<Duration>,
    /// A schedule: at this time, `2026-12-24T18:00:00Z`; may be given several times.
    #[arg(long, value_name = "TIME")]
    at: Vec<String>,
    /// What becomes of a tick while the run before it is still going on.
    #[arg(long, value_enum, default_value_t = Overlap::Skip)]
    overlap: Overlap,
    /// Missed ticks are made up for if they are no older than this (1m if not given).
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    catchup: Option<Duration>,
    /// Each tick is put off by some part of this.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    jitter: Option<Duration>,
}

/// Who calls a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Provider {
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
    /// Stripe.
    Stripe,
    /// Slack.
    Slack,
    /// Whoever keeps to Standard Webhooks.
    Standard,
    /// Whoever sends an HMAC, as --header and the like say.
    Hmac,
    /// Whoever has a name and a password.
    Basic,
    /// Anybody who knows the address.
    None,
}

/// What becomes of a tick while the run before it is still going on.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Overlap {
    /// It starts nothing.
    Skip,
    /// It waits for its turn.
    Queue,
    /// The run before it is cancelled.
    Replace,
    /// Both go on.
    Allow,
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look at it soon.
    Warning,
    /// Somebody must look at it now.
    Critical,
}

/// What has become of an alert.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum AlertIs {
    /// It begins to fire.
    Firing,
    /// It is over.
    Resolved,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Ended {
    /// Well.
    Succeeded,
    /// A step failed for good, or time ran out.
    Failed,
    /// Somebody ended it.
    Cancelled,
    /// Somebody ended it at once.
    Terminated,
}

impl SourceArguments {
    /// The source, and a secret that was made up for it; nothing where none is given, unless there must be one.
    pub(super) fn read(self, project: &str, is_needed: bool) -> Result<(Option<Source>, Option<String>)> {
        if let Some(graph) = &self.after {
            let graph = if graph == "any" { String::new() } else { super::graph(project, graph) };
            return Ok((Some(Source::ExecutionEnd(self.execution_end(graph))), None));
        }
        if let Some(graph) = &self.on_change {
            let graph = super::graph(project, graph);
            return Ok((Some(Source::GraphChange(self.graph_change(graph)?)), None));
        }
        if let Some(rule) = &self.on_alert {
            let alert_rule = match rule.as_str() {
                "any" => String::new(),
                name if name.contains('/') => name.to_owned(),
                id => format!("projects/{project}/alertRules/{id}"),
            };
            return Ok((Some(Source::Alert(self.alert(alert_rule))), None));
        }
        if let Some(topic) = self.on_message {
            return Ok((Some(Source::Message(MessageSource { topic })), None));
        }
        if let Some(provider) = self.webhook {
            let (webhook, secret) = self.webhook(provider, is_needed)?;
            return Ok((Some(Source::Webhook(webhook)), secret));
        }
        if self.cron.is_none() && self.every.is_none() && self.at.is_empty() {
            if is_needed {
                bail!(
                    "say what starts it: --webhook, --cron, --every, --at, --after, --on-change, --on-alert or \
                     --on-message"
                );
            }
            return Ok((None, None));
        }
        Ok((Some(Source::Schedule(self.schedule()?)), None))
    }

    fn webhook(self, provider: Provider, is_new: bool) -> Result<(WebhookSource, Option<String>)> {
        let (mut secrets, mut made) = (Vec::new(), None);
        if let Some(file) = &self.secret_file {
            let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            secrets.push(text.trim().to_owned());
        } else if is_new && provider != Provider::None {
            let bytes = STANDARD.encode(Ids::system().bytes::<32>());
            let secret = if provider == Provider::Standard { format!("whsec_{bytes}") } else { bytes };
            made = Some(secret.clone());
            secrets.push(secret);
        }
        let hmac = self.header.map(|header| HmacSignature {
            header,
            algorithm: if self.sha512 { HmacAlgorithm::Sha512 } else { HmacAlgorithm::Sha256 }.into(),
            encoding: if self.base64 { HmacEncoding::Base64 } else { HmacEncoding::Hex }.into(),
            prefix: self.prefix,
            timestamp_header: self.timestamp_header,
            id_header: self.id_header,
        });
        let provider = match provider {
            Provider::Github => WebhookProvider::Github,
            Provider::Gitlab => WebhookProvider::Gitlab,
            Provider::Stripe => WebhookProvider::Stripe,
            Provider::Slack => WebhookProvider::Slack,
            Provider::Standard => WebhookProvider::StandardWebhooks,
            Provider::Hmac => WebhookProvider::Hmac,
            Provider::Basic => WebhookProvider::Basic,
            Provider::None => WebhookProvider::None,
        };
        let webhook = WebhookSource {
            provider: provider.into(),
            secrets,
            hmac,
            username: self.username.unwrap_or_default(),
            tolerance: self.tolerance.map(span).transpose()?,
            wait_duration: self.wait.map(span).transpose()?,
            max_per_second: self.max_per_second,
            max_burst: self.max_burst,
            ..WebhookSource::default()
        };
        Ok((webhook, made))
    }

    fn execution_end(self, graph: String) -> ExecutionEndSource {
        let states = self.ended.iter().map(|ended| match ended {
            Ended::Succeeded => ExecutionState::Succeeded.into(),
            Ended::Failed => ExecutionState::Failed.into(),
            Ended::Cancelled => ExecutionState::Cancelled.into(),
            Ended::Terminated => ExecutionState::Terminated.into(),
        });
        ExecutionEndSource { graph, states: states.collect(), include_own_runs: self.include_own_runs }
    }

    fn alert(self, alert_rule: String) -> AlertSource {
        let min_severity = self.severity.map_or(AlertSeverity::Unspecified, |severity| match severity {
            Severity::Info => AlertSeverity::Info,
            Severity::Warning => AlertSeverity::Warning,
            Severity::Critical => AlertSeverity::Critical,
        });
        let states = self.alert_state.map(|state| match state {
            AlertIs::Firing => AlertState::Firing.into(),
            AlertIs::Resolved => AlertState::Resolved.into(),
        });
        AlertSource { alert_rule, min_severity: min_severity.into(), states: states.into_iter().collect() }
    }

    fn graph_change(self, graph: String) -> Result<GraphChangeSource> {
        Ok(GraphChangeSource {
            graph,
            node_types: self.node_type,
            edge_types: self.edge_type,
            debounce_duration: self.debounce.map(span).transpose()?,
        })
    }

    fn schedule(self) -> Result<ScheduleSource> {
        let overlap = match self.overlap {
            Overlap::Skip => OverlapPolicy::Skip,
            Overlap::Queue => OverlapPolicy::Queue,
            Overlap::Replace => OverlapPolicy::Replace,
            Overlap::Allow => OverlapPolicy::Allow,
        };
        let ticks = self.at.iter().map(|text| {
            let time = text.parse().with_context(|| format!("--at {text}"))?;
            Ok(Tick { schedule_time: Some(time), due_time: None })
        });
        Ok(ScheduleSource {
            cron: self.cron.unwrap_or_default(),
            time_zone: self.zone,
            interval: self.every.map(span).transpose()?,
            ticks: ticks.collect::<Result<_>>()?,
            overlap_policy: overlap.into(),
            catchup_window: self.catchup.map(span).transpose()?,
            jitter: self.jitter.map(span).transpose()?,
            ..ScheduleSource::default()
        })
    }
}

fn span(span: Duration) -> Result<prost_types::Duration> {
    prost_types::Duration::try_from(span).context("a duration is too long")
}

/// The field that a source is.
pub(super) fn field(source: &Source) -> &'static str {
    match source {
        Source::Webhook(_) => "webhook",
        Source::Schedule(_) => "schedule",
        Source::ExecutionEnd(_) => "execution_end",
        Source::GraphChange(_) => "graph_change",
        Source::Alert(_) => "alert",
        Source::Message(_) => "message",
    }
}
