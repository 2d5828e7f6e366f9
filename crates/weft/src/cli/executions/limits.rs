//! `weft executions limits`: how many executions run at once, or start in a time.

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use prost_types::FieldMask;
use weft_kit::span;
use weft_proto::weft::execution::v1::{
    CreateRunLimitRequest, DeleteRunLimitRequest, GetRunLimitRequest, ListRunLimitsRequest, RunLimit,
    RunLimitOverflow, RunRate, UpdateRunLimitRequest,
};

use super::whole;
use crate::{
    cli::{
        output::{self, OutputFormat},
        telemetry::duration,
    },
    client::ExecutionClient,
};

/// Limits of whole executions.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum LimitsCommand {
    /// Limit how many executions run at once (--at-once), or start in a time (--rate).
    Create {
        /// Last part of its name.
        id: String,
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
        /// Only executions of this workflow graph: its name, or its last part.
        #[arg(long)]
        graph: Option<String>,
        /// A limit for each value of this expression, for example `input.customer`.
        #[arg(long, default_value = "")]
        key: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// List the limits of a project, with how many run and wait.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Show one limit.
    Get(WhichLimit),
    /// Change a limit: what is given. It counts at once.
    Update {
        #[command(flatten)]
        which: WhichLimit,
        #[command(flatten)]
        terms: Terms,
    },
    /// Delete a limit: what waits for nothing else starts.
    Delete(WhichLimit),
}

/// Which limit, and in which project.
#[derive(Debug, clap::Args)]
pub(crate) struct WhichLimit {
    /// Name of the limit, `projects/{project}/runLimits/{run_limit}`, or its last part.
    name: String,
    /// The project, where the name is a last part.
    #[arg(long, default_value = "default")]
    project: String,
}

impl WhichLimit {
    fn name(&self) -> String {
        whole(&self.project, "runLimits", &self.name)
    }
}

/// What a limit allows.
#[derive(Debug, clap::Args)]
pub(crate) struct Terms {
    /// How many may run at once; 0: as many as there are.
    #[arg(long)]
    at_once: Option<i32>,
    /// How many may start in a time, for example `100/1m`; `none`: as many as there are.
    #[arg(long, value_name = "STARTS/INTERVAL")]
    rate: Option<String>,
    /// How many may start at once where there is a rate; as many as its starts where it is not given.
    #[arg(long, requires = "rate")]
    burst: Option<i32>,
    /// What becomes of an execution beyond it: it waits, is cancelled (skip), or the oldest is cancelled for it (replace).
    #[arg(long)]
    overflow: Option<Overflow>,
    /// Name for people.
    #[arg(long)]
    title: Option<String>,
}

/// What becomes of an execution beyond a limit.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Overflow {
    Wait,
    Skip,
    Replace,
}

impl Terms {
    /// Fills a limit, and says which of its fields.
    fn fill(self, limit: &mut RunLimit) -> Result<Vec<String>> {
        let mut paths = Vec::new();
        if let Some(most) = self.at_once {
            limit.max_concurrent = most;
            paths.push("max_concurrent");
        }
        if let Some(text) = self.rate {
            limit.rate = rate(&text, self.burst)?;
            paths.push("rate");
        }
        if let Some(overflow) = self.overflow {
            limit.set_overflow(match overflow {
                Overflow::Wait => RunLimitOverflow::Wait,
                Overflow::Skip => RunLimitOverflow::Skip,
                Overflow::Replace => RunLimitOverflow::Replace,
            });
            paths.push("overflow");
        }
        if let Some(title) = self.title {
            limit.display_name = title;
            paths.push("display_name");
        }
        Ok(paths.into_iter().map(str::to_owned).collect())
    }
}

/// `100/1m`, or `none`.
fn rate(text: &str, burst: Option<i32>) -> Result<Option<RunRate>> {
    if text == "none" {
        return Ok(None);
    }
    let (starts, interval) = text.split_once('/').context("a rate is STARTS/INTERVAL, for example 100/1m")?;
    let interval = duration(interval).map_err(anyhow::Error::msg)?;
    Ok(Some(RunRate {
        starts: starts.parse().with_context(|| format!("{starts:?} is no number"))?,
        interval: Some(span::of_micros(i64::try_from(interval.as_micros())?)),
        burst: burst.unwrap_or(0),
    }))
}

impl LimitsCommand {
    pub(super) async fn run(self, client: &mut ExecutionClient, format: OutputFormat) -> Result<()> {
        let limit = match self {
            Self::Create { id, project, graph, key, terms } => {
                let graph = graph.map(|graph| whole(&project, "graphs", &graph)).unwrap_or_default();
                let mut limit = RunLimit { graph, key, ..RunLimit::default() };
                terms.fill(&mut limit)?;
                let request = CreateRunLimitRequest {
                    parent: format!("projects/{project}"),
                    run_limit_id: id,
                    run_limit: Some(limit),
                    request_id: weft_kit::Ids::system().uuid().to_string(),
                };
                client.create_run_limit(request).await?
            }
            Self::List { project } => return list(client, format!("projects/{project}"), format).await,
            Self::Get(which) => client.get_run_limit(GetRunLimitRequest { name: which.name() }).await?,
            Self::Update { which, terms } => {
                let mut limit = RunLimit { name: which.name(), ..RunLimit::default() };
                let paths = terms.fill(&mut limit)?;
                ensure!(!paths.is_empty(), "say what is to be changed");
                let update_mask = Some(FieldMask { paths });
                client.update_run_limit(UpdateRunLimitRequest { run_limit: Some(limit), update_mask }).await?
            }
            Self::Delete(which) => {
                let request = DeleteRunLimitRequest { name: which.name(), etag: String::new() };
                client.delete_run_limit(request).await?;
                output::deleted(&which.name(), format);
                return Ok(());
            }
        };
        show(&limit.into_inner(), format)
    }
}

async fn list(client: &mut ExecutionClient, parent: String, format: OutputFormat) -> Result<()> {
    let mut request = ListRunLimitsRequest { parent, page_size: 1_000, ..ListRunLimitsRequest::default() };
    let mut all = Vec::new();
    loop {
        let page = client.list_run_limits(request.clone()).await?.into_inner();
        all.extend(page.run_limits);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        return all.iter().try_for_each(|limit| output::json(limit, "weft.execution.v1.RunLimit"));
    }
    let rows = all.iter().map(|limit| {
        vec![
            last(&limit.name),
            if limit.graph.is_empty() { "all".to_owned() } else { last(&limit.graph) },
            limit.key.clone(),
            at_once(limit),
            rate_word(limit),
            overflow_word(limit.overflow()).to_owned(),
            limit.running_count.to_string(),
            limit.waiting_count.to_string(),
        ]
    });
    let heads = ["limit", "graph", "key", "at once", "rate", "overflow", "run", "wait"];
    output::table(&heads, &[6, 7], rows);
    Ok(())
}

fn show(limit: &RunLimit, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(limit, "weft.execution.v1.RunLimit");
    }
    output::line(&limit.name);
    let graph = if limit.graph.is_empty() { "all of the project" } else { &limit.graph };
    let counts = format!("{} run, {} wait", limit.running_count, limit.waiting_count);
    let rows = [
        ("title", limit.display_name.clone()),
        ("graph", graph.to_owned()),
        ("key", limit.key.clone()),
        ("at once", at_once(limit)),
        ("rate", rate_word(limit)),
        ("overflow", overflow_word(limit.overflow()).to_owned()),
        ("now", counts),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        output::line(&format!("  {name:<8} {value}"));
    }
    Ok(())
}

fn last(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

fn at_once(limit: &RunLimit) -> String {
    if limit.max_concurrent == 0 { String::new() } else { limit.max_concurrent.to_string() }
}

/// `100/1m burst 10`.
fn rate_word(limit: &RunLimit) -> String {
    let Some(rate) = &limit.rate else { return String::new() };
    let interval = rate.interval.as_ref().and_then(span::to_std).unwrap_or_default();
    let burst = if rate.burst > 0 { format!(" burst {}", rate.burst) } else { String::new() };
    format!("{}/{}{burst}", rate.starts, humantime_serde::re::humantime::format_duration(interval))
}

fn overflow_word(overflow: RunLimitOverflow) -> &'static str {
    match overflow {
        RunLimitOverflow::Unspecified | RunLimitOverflow::Wait => "wait",
        RunLimitOverflow::Skip => "skip",
        RunLimitOverflow::Replace => "replace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_and_told() {
        let limit = RunLimit { rate: rate("100/1m", Some(10)).unwrap(), ..RunLimit::default() };
        assert_eq!(rate_word(&limit), "100/1m burst 10");
        assert_eq!(rate("none", None).unwrap(), None);
        for wrong in ["100", "x/1m", "1/later"] {
            assert!(rate(wrong, None).is_err(), "{wrong}");
        }
    }
}
