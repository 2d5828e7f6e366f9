//! `weft agents`: the fleet.

use anyhow::Result;
use weft_proto::weft::agent::v1::{
    Agent, AgentKind, AgentState, CreateEnrollmentTokenRequest, DeleteAgentRequest, EndMaintenanceRequest,
    EnrollmentToken, GetAgentRequest, GetStatisticsRequest, ListAgentsRequest, ListAgentsResponse,
    ListEnrollmentTokensRequest, RestartCollectorRequest, RevokeEnrollmentTokenRequest,
    StartMaintenanceRequest, WatchAgentsRequest, watch_agents_response::Event,
};

use super::{
    collectors, hosts, identity::new_request_id, knowledge::KnowledgeCommand, output, output::OutputFormat,
    services::ServicesCommand,
};
use crate::client::{AgentClient, Connection};

/// The fleet.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AgentsCommand {
    /// List agents.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
        /// Only those that match, for example `state = offline`.
        #[arg(long, default_value = "")]
        filter: String,
        /// For example `state, hostname desc`.
        #[arg(long, default_value = "")]
        order_by: String,
    },
    /// Show one agent.
    Get {
        /// Name of the agent, `projects/{project}/agents/{agent}`.
        name: String,
    },
    /// Tell of every change, first of all agents as they are.
    Watch {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Count agents by state.
    Stats {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Take an agent out, or bring it back.
    Maintenance {
        /// Name of the agent.
        name: String,
        /// Why it is taken out.
        #[arg(long, default_value = "")]
        reason: String,
        /// Bring it back.
        #[arg(long)]
        end: bool,
    },
    /// Remove an agent: its key is refused from now on.
    Delete {
        /// Name of the agent.
        name: String,
    },
    /// List what runs on an agent's host.
    Processes(hosts::ProcessesArguments),
    /// List what listens on an agent's host, and whose it is.
    Ports(hosts::PortsArguments),
    /// End a process of an agent's host, where its owner allows that.
    StopProcess(hosts::StopProcessArguments),
    /// What an agent keeps running on its host.
    #[command(subcommand)]
    Services(ServicesCommand),
    /// Notes, documents and tables on an agent's host.
    #[command(subcommand)]
    Knowledge(KnowledgeCommand),
    /// What a collector runs with, and what it is offered.
    Configuration(collectors::ConfigurationArguments),
    /// Tell a collector to restart.
    Restart {
        /// Name of the agent, `projects/{project}/agents/{agent}`.
        name: String,
    },
    /// What agents join with.
    #[command(subcommand)]
    Token(TokenCommand),
}

/// What agents join with.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token; its secret is shown once.
    Create {
        /// The project that agents join.
        #[arg(long, default_value = "default")]
        project: String,
        /// How many agents may join with it.
        #[arg(long, default_value_t = 1)]
        uses: i32,
        /// What it is for.
        #[arg(long, default_value = "")]
        display_name: String,
        /// Label of agents that join with it, `site=north`; may be given several times.
        #[arg(long, value_parser = label)]
        label: Vec<(String, String)>,
    },
    /// List the tokens of a project.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Revoke a token; who has joined with it stays.
    Revoke {
        /// Name of the token, `projects/{project}/enrollmentTokens/{token}`.
        name: String,
    },
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl AgentsCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.agents();
        match self {
            Self::List { project, filter, order_by } => {
                list(&mut client, &project, &filter, &order_by, format).await
            }
            Self::Get { name } => {
                let agent = client.get_agent(GetAgentRequest { name }).await?.into_inner();
                show(&agent, format)
            }
            Self::Watch { project } => watch(&mut client, &project, format).await,
            Self::Stats { project } => {
                let request = GetStatisticsRequest { parent: format!("projects/{project}") };
                let statistics = client.get_statistics(request).await?.into_inner();
                if format == OutputFormat::Json {
                    return output::json(&statistics, "weft.agent.v1.FleetStatistics");
                }
                output::line(&format!(
                    "{} agents, {} connected",
                    statistics.agent_count, statistics.connected_count
                ));
                let mut states: Vec<_> = statistics.states.into_iter().collect();
                states.sort();
                for (state, count) in states {
                    output::line(&format!("  {count} {state}"));
                }
                Ok(())
            }
            Self::Maintenance { name, reason, end } => {
                let agent = if end {
                    client.end_maintenance(EndMaintenanceRequest { name }).await?
                } else {
                    client.start_maintenance(StartMaintenanceRequest { name, reason }).await?
                };
                show(&agent.into_inner(), format)
            }
            Self::Delete { name } => {
                client.delete_agent(DeleteAgentRequest { name: name.clone(), etag: String::new() }).await?;
                output::deleted(&name, format);
                Ok(())
            }
            Self::Processes(arguments) => hosts::processes(&mut connection.hosts(), arguments, format).await,
            Self::Ports(arguments) => hosts::ports(&mut connection.hosts(), arguments, format).await,
            Self::StopProcess(arguments) => hosts::stop(&mut connection.hosts(), arguments, format).await,
            Self::Services(command) => command.run(&mut connection.hosts(), format).await,
            Self::Knowledge(command) => command.run(&mut connection.hosts(), format).await,
            Self::Configuration(arguments) => {
                collectors::configuration(&mut connection.collectors(), arguments, format).await
            }
            Self::Restart { name } => {
                let request = RestartCollectorRequest { name, request_id: new_request_id() };
                show(&connection.collectors().restart_collector(request).await?.into_inner(), format)
            }
            Self::Token(command) => command.run(&mut client, format).await,
        }
    }
}

impl TokenCommand {
    async fn run(self, client: &mut AgentClient, format: OutputFormat) -> Result<()> {
        match self {
            Self::Create { project, uses, display_name, label } => {
                let token = EnrollmentToken {
                    max_uses: uses,
                    display_name,
                    labels: label.into_iter().collect(),
                    ..EnrollmentToken::default()
                };
                let request = CreateEnrollmentTokenRequest {
                    parent: format!("projects/{project}"),
                    enrollment_token_id: String::new(),
                    enrollment_token: Some(token),
                    request_id: new_request_id(),
                };
                let token = client.create_enrollment_token(request).await?.into_inner();
                match format {
                    OutputFormat::Json => output::json(&token, "weft.agent.v1.EnrollmentToken")?,
                    // The secret alone on standard output, so that it can be piped to where it belongs.
                    OutputFormat::Table => output::line(&token.secret),
                }
                Ok(())
            }
            Self::List { project } => {
                let mut request = ListEnrollmentTokensRequest {
                    parent: format!("projects/{project}"),
                    page_size: 1_000,
                    page_token: String::new(),
                };
                let mut all = weft_proto::weft::agent::v1::ListEnrollmentTokensResponse::default();
                loop {
                    let page = client.list_enrollment_tokens(request.clone()).await?.into_inner();
                    all.enrollment_tokens.extend(page.enrollment_tokens);
                    if page.next_page_token.is_empty() {
                        break;
                    }
                    request.page_token = page.next_page_token;
                }
                if format == OutputFormat::Json {
                    return output::json(&all, "weft.agent.v1.ListEnrollmentTokensResponse");
                }
                let rows = all.enrollment_tokens.iter().map(|token| {
                    vec![
                        token.name.clone(),
                        format!("{} of {}", token.use_count, token.max_uses),
                        output::time(token.expire_time.as_ref()),
                        if token.revoke_time.is_some() { "revoked" } else { "" }.to_owned(),
                        token.display_name.clone(),
                    ]
                });
                output::table(&["name", "used", "expires", "state", "for"], &[], rows);
                Ok(())
            }
            Self::Revoke { name } => {
                let token = client.revoke_enrollment_token(RevokeEnrollmentTokenRequest { name }).await?;
                let token = token.into_inner();
                match format {
                    OutputFormat::Json => output::json(&token, "weft.agent.v1.EnrollmentToken")?,
                    OutputFormat::Table => output::line(&format!("{} is revoked", token.name)),
                }
                Ok(())
            }
        }
    }
}

async fn list(
    client: &mut AgentClient,
    project: &str,
    filter: &str,
    order_by: &str,
    format: OutputFormat,
) -> Result<()> {
    let mut request = ListAgentsRequest {
        parent: format!("projects/{project}"),
        page_size: 1_000,
        page_token: String::new(),
        filter: filter.to_owned(),
        order_by: order_by.to_owned(),
    };
    let mut all = ListAgentsResponse::default();
    loop {
        let page = client.list_agents(request.clone()).await?.into_inner();
        all.agents.extend(page.agents);
        (all.match_count, all.revision) = (page.match_count, page.revision);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.agent.v1.ListAgentsResponse");
    }
    output::table(
        &["name", "kind", "state", "why", "since", "seen", "version", "host"],
        &[],
        all.agents.iter().map(row),
    );
    Ok(())
}

fn row(agent: &Agent) -> Vec<String> {
    vec![
        agent.name.clone(),
        kind_word(agent.kind()).to_owned(),
        state_word(agent.state()).to_owned(),
        agent.state_reason.to_lowercase().replace('_', " "),
        output::time(agent.state_time.as_ref()),
        output::time(agent.last_seen_time.as_ref()),
        agent.version.clone(),
        agent.host.as_ref().map(|host| host.hostname.clone()).unwrap_or_default(),
    ]
}

fn show(agent: &Agent, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(agent, "weft.agent.v1.Agent");
    }
    let mut lines = vec![("name", agent.name.clone()), ("kind", kind_word(agent.kind()).to_owned())];
    lines.push(("state", state_word(agent.state()).to_owned()));
    lines.push(("why", agent.state_reason.to_lowercase().replace('_', " ")));
    lines.push(("since", output::time(agent.state_time.as_ref())));
    lines.push(("seen", output::time(agent.last_seen_time.as_ref())));
    if let Some(maintenance) = &agent.maintenance {
        lines.push(("maintenance", format!("{} by {}", maintenance.reason, maintenance.creator)));
    }
    if let Some(conflict) = &agent.key_conflict {
        let place = conflict.refused.as_ref().map(|seat| format!("{} ({})", seat.hostname, seat.address));
        lines.push(("key used too by", place.unwrap_or_default()));
    }
    if let Some(host) = &agent.host {
        lines.push(("host", host.hostname.clone()));
        let kernel = if host.kernel.is_empty() { String::new() } else { format!("kernel {}", host.kernel) };
        let system = [&host.os_version, &kernel, &host.architecture].map(String::as_str);
        lines.push((
            "system",
            system.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "),
        ));
        if host.cpu_count > 0 {
            lines.push(("size", format!("{} CPUs, {} MiB", host.cpu_count, host.memory_bytes >> 20)));
        }
    }
    lines.extend(agent.problems.iter().map(|problem| ("problem", problem.clone())));
    if let Some(collector) = &agent.collector {
        lines.extend(collectors::lines(collector));
    }
    let mut labels: Vec<_> = agent.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    labels.sort();
    lines.push(("labels", labels.join(" ")));
    lines.push(("version", agent.version.clone()));
    lines.push(("key", agent.key_id.clone()));
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        output::line(&format!("{name:>16}  {value}"));
    }
    Ok(())
}

async fn watch(client: &mut AgentClient, project: &str, format: OutputFormat) -> Result<()> {
    let request = WatchAgentsRequest { parent: format!("projects/{project}"), after_revision: Some(0) };
    let mut events = client.watch_agents(request).await?.into_inner();
    while let Some(told) = events.message().await? {
        if format == OutputFormat::Json {
            output::json(&told, "weft.agent.v1.WatchAgentsResponse")?;
            continue;
        }
        if let Some(Event::Changes(changes)) = told.event {
            for agent in &changes.agents {
                output::line(&row(agent).join("  "));
            }
            for name in changes.removed_agents {
                output::line(&format!("{name}  removed"));
            }
        }
    }
    Ok(())
}

fn kind_word(kind: AgentKind) -> &'static str {
    match kind {
        AgentKind::Unspecified => "",
        AgentKind::Host => "host",
        AgentKind::Collector => "collector",
    }
}

fn state_word(state: AgentState) -> &'static str {
    match state {
        AgentState::Unspecified => "",
        AgentState::Online => "online",
        AgentState::Offline => "offline",
        AgentState::Degraded => "degraded",
        AgentState::Maintenance => "maintenance",
    }
}
