//! `weft workers`: who does the tasks of workflows, and doing them with a program of one's own.

mod attached;
mod program;
mod run;

use anyhow::Result;
use weft_proto::weft::execution::v1::{
    ListTaskQueuesRequest, ListTaskQueuesResponse, ListWorkersRequest, ListWorkersResponse, WorkerState,
};

use super::output::{self, OutputFormat};
use crate::client::{Connection, WorkerClient};

/// Workers of a project.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum WorkersCommand {
    /// List the workers that are attached to a project.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
        /// Only those of this queue.
        #[arg(long, default_value = "")]
        queue: String,
    },
    /// List the queues of tasks: how many wait, are at work, and who serves them.
    Queues {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Do tasks with a program: it is started once for each, with the input as JSON on its standard input, and what it writes to
    /// its standard output as JSON is the result.
    Run(run::Run),
}

impl WorkersCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let client = connection.workers();
        match self {
            Self::List { project, queue } => list(client, project, queue, format).await,
            Self::Queues { project } => queues(client, project, format).await,
            Self::Run(run) => Box::pin(run.run(client)).await,
        }
    }
}

async fn list(mut client: WorkerClient, project: String, queue: String, format: OutputFormat) -> Result<()> {
    let parent = format!("projects/{project}");
    let mut request = ListWorkersRequest { parent, queue, page_size: 1_000, ..ListWorkersRequest::default() };
    let mut all = ListWorkersResponse::default();
    loop {
        let page = client.list_workers(request.clone()).await?.into_inner();
        all.workers.extend(page.workers);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.execution.v1.ListWorkersResponse");
    }
    let rows = all.workers.iter().map(|worker| {
        let state = match worker.state() {
            WorkerState::Unspecified => "",
            WorkerState::Attached => "attached",
            WorkerState::Leaving => "leaving",
            WorkerState::Away => "away",
        };
        vec![
            worker.uid.clone(),
            worker.display_name.clone(),
            worker.queues.join(" "),
            state.to_owned(),
            worker.slot_count.to_string(),
            worker.task_count.to_string(),
            output::time(worker.create_time.as_ref()),
        ]
    });
    output::table(&["worker", "title", "queues", "state", "slots", "tasks", "since"], &[4, 5], rows);
    Ok(())
}

async fn queues(mut client: WorkerClient, project: String, format: OutputFormat) -> Result<()> {
    let parent = format!("projects/{project}");
    let mut request = ListTaskQueuesRequest { parent, page_size: 1_000, ..ListTaskQueuesRequest::default() };
    let mut all = ListTaskQueuesResponse::default();
    loop {
        let page = client.list_task_queues(request.clone()).await?.into_inner();
        all.task_queues.extend(page.task_queues);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.execution.v1.ListTaskQueuesResponse");
    }
    let rows = all.task_queues.iter().map(|queue| {
        let counts = [queue.waiting_count, queue.working_count, queue.worker_count, queue.slot_count];
        std::iter::once(queue.queue.clone()).chain(counts.map(|count| count.to_string())).collect()
    });
    output::table(&["queue", "wait", "at work", "workers", "slots"], &[1, 2, 3, 4], rows);
    Ok(())
}
