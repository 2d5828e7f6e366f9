//! `weft agents processes`, `ports` and `stop-process`: what runs on the host of an agent.

use anyhow::{Context, Result, bail};
use weft_proto::weft::agent::v1::{
    ListPortsRequest, ListPortsResponse, ListProcessesRequest, ListProcessesResponse, Port, PortProtocol,
    Process, ProcessState, StopOutcome, StopProcessRequest,
};

use super::{output, output::OutputFormat};
use crate::client::HostClient;

/// Which processes to show.
#[derive(Debug, clap::Args)]
pub(crate) struct ProcessesArguments {
    /// Name of the agent, `projects/{project}/agents/{agent}`.
    name: String,
    /// Only those that match, for example `user = "postgres"`, or a word that their names have.
    #[arg(long, default_value = "")]
    filter: String,
    /// For example `resident_bytes desc`; the busiest first if not given.
    #[arg(long, default_value = "")]
    order_by: String,
    /// Only the process with this number and all that belong to it.
    #[arg(long, value_name = "PID", default_value_t = 0)]
    tree: i64,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

/// Which ports to show.
#[derive(Debug, clap::Args)]
pub(crate) struct PortsArguments {
    /// Name of the agent, `projects/{project}/agents/{agent}`.
    name: String,
    /// Only those that match, for example `protocol = tcp AND port < 1024`.
    #[arg(long, default_value = "")]
    filter: String,
    /// For example `process_name`; by port if not given.
    #[arg(long, default_value = "")]
    order_by: String,
}

/// Which process to end.
#[derive(Debug, clap::Args)]
pub(crate) struct StopProcessArguments {
    /// Name of the agent, `projects/{project}/agents/{agent}`.
    name: String,
    /// Number of the process.
    process: i64,
    /// When it began, as `processes --output json` shows it. What has the number now is ended if not given.
    #[arg(long, value_name = "TIME")]
    start_time: Option<prost_types::Timestamp>,
    /// How many seconds it may take to end by itself; 0: by force at once.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(i64).range(0..=20))]
    grace: i64,
}

pub(crate) async fn processes(
    client: &mut HostClient,
    arguments: ProcessesArguments,
    format: OutputFormat,
) -> Result<()> {
    let mut request = ListProcessesRequest {
        parent: arguments.name,
        filter: arguments.filter,
        order_by: arguments.order_by,
        root_process_id: arguments.tree,
        ..ListProcessesRequest::default()
    };
    let limit = usize::try_from(arguments.limit)?;
    let mut all = ListProcessesResponse::default();
    loop {
        request.page_size = i32::try_from(limit - all.processes.len())?;
        let page = client.list_processes(request.clone()).await?.into_inner();
        let before = std::mem::take(&mut all.processes);
        all = page;
        all.processes.splice(0..0, before);
        if all.next_page_token.is_empty() || all.processes.len() >= limit {
            break;
        }
        request.page_token.clone_from(&all.next_page_token);
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.agent.v1.ListProcessesResponse");
    }
    output::table(
        &["pid", "parent", "name", "user", "state", "cpu", "memory", "threads", "started", "command"],
        &[0, 1, 5, 6, 7],
        all.processes.iter().map(process_row),
    );
    let (shown, there) = (all.processes.len(), all.match_count);
    if i32::try_from(shown)? < there {
        output::line(&format!("{shown} of {there}"));
    }
    Ok(())
}

fn process_row(process: &Process) -> Vec<String> {
    vec![
        process.process_id.to_string(),
        process.parent_process_id.to_string(),
        process.name.clone(),
        process.user.clone(),
        process_state(process.state()).to_owned(),
        format!("{:.1}%", process.cpu_ratio * 100.0),
        format!("{:.1} MiB", process.resident_bytes as f64 / f64::from(1 << 20)),
        process.thread_count.to_string(),
        output::time(process.start_time.as_ref()),
        process.command_line.clone(),
    ]
}

fn process_state(state: ProcessState) -> &'static str {
    match state {
        ProcessState::Unspecified => "",
        ProcessState::Running => "running",
        ProcessState::Sleeping => "sleeping",
        ProcessState::Blocked => "blocked",
        ProcessState::Stopped => "stopped",
        ProcessState::Zombie => "zombie",
    }
}

pub(crate) async fn ports(
    client: &mut HostClient,
    arguments: PortsArguments,
    format: OutputFormat,
) -> Result<()> {
    let mut request = ListPortsRequest {
        parent: arguments.name,
        filter: arguments.filter,
        order_by: arguments.order_by,
        page_size: 500,
        ..ListPortsRequest::default()
    };
    let mut all = ListPortsResponse::default();
    loop {
        let page = client.list_ports(request.clone()).await?.into_inner();
        let before = std::mem::take(&mut all.ports);
        all = page;
        all.ports.splice(0..0, before);
        if all.next_page_token.is_empty() {
            break;
        }
        request.page_token.clone_from(&all.next_page_token);
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.agent.v1.ListPortsResponse");
    }
    output::table(
        &["protocol", "address", "port", "pid", "process", "user"],
        &[2, 3],
        all.ports.iter().map(port_row),
    );
    Ok(())
}

fn port_row(port: &Port) -> Vec<String> {
    let protocol = match port.protocol() {
        PortProtocol::Tcp => "tcp",
        PortProtocol::Udp => "udp",
        PortProtocol::Unspecified => "",
    };
    let process = if port.process_id == 0 { String::new() } else { port.process_id.to_string() };
    vec![
        protocol.to_owned(),
        port.address.clone(),
        port.port.to_string(),
        process,
        port.process_name.clone(),
        port.user.clone(),
    ]
}

pub(crate) async fn stop(
    client: &mut HostClient,
    arguments: StopProcessArguments,
    format: OutputFormat,
) -> Result<()> {
    let StopProcessArguments { name, process, start_time, grace } = arguments;
    let start_time = match start_time {
        Some(start_time) => start_time,
        None => start_of(client, &name, process).await?,
    };
    let request = StopProcessRequest {
        name,
        process_id: process,
        start_time: Some(start_time),
        grace_period: Some(prost_types::Duration { seconds: grace, nanos: 0 }),
    };
    let stopped = client.stop_process(request).await?.into_inner();
    if format == OutputFormat::Json {
        return output::json(&stopped, "weft.agent.v1.StopProcessResponse");
    }
    output::line(&match stopped.outcome() {
        StopOutcome::Ended => format!("{process} has ended"),
        StopOutcome::Killed => format!("{process} was ended by force"),
        StopOutcome::Gone | StopOutcome::Unspecified => format!("{process} was gone already"),
    });
    Ok(())
}

/// When the process that has this number now began.
async fn start_of(client: &mut HostClient, name: &str, process: i64) -> Result<prost_types::Timestamp> {
    let request = ListProcessesRequest {
        parent: name.to_owned(),
        filter: format!("process_id = {process}"),
        page_size: 1,
        ..ListProcessesRequest::default()
    };
    let found = client.list_processes(request).await?.into_inner();
    let Some(found) = found.processes.into_iter().next() else {
        bail!("there is no process {process} on that host");
    };
    found.start_time.context("the agent does not say when it began")
}
