//! `weft agents services`: what an agent keeps running on its host.

use std::{collections::HashMap, path::PathBuf};

use anyhow::{Context, Result};
use weft_proto::weft::{
    agent::v1::{
        CreateServiceRequest, DeleteServiceRequest, GetServiceRequest, HealthProbe, ListServicesRequest,
        ListServicesResponse, RestartCondition, RestartPolicy, RestartServiceRequest, Service, ServiceState,
        StartServiceRequest, StopServiceRequest, WatchServiceLogRequest, health_probe::Check,
    },
    command::v1::OutputStream,
};

use super::{identity::new_request_id, output, output::OutputFormat};
use crate::client::HostClient;

/// What an agent keeps running on its host.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ServicesCommand {
    /// List the services of an agent.
    List {
        /// Name of the agent, `projects/{project}/agents/{agent}`.
        agent: String,
    },
    /// Show one service.
    Get {
        /// Name of the service, `projects/{project}/agents/{agent}/services/{service}`.
        name: String,
    },
    /// Add a service, and start it; the agent's configuration must allow its program.
    Create(CreateArguments),
    /// Forget a service that was added, and its log.
    Delete {
        /// Name of the service.
        name: String,
    },
    /// Start a service, and what it needs before it.
    Start {
        /// Name of the service.
        name: String,
    },
    /// Stop a service, and what needs it before it.
    Stop {
        /// Name of the service.
        name: String,
    },
    /// Stop a service if it runs, and start it.
    Restart {
        /// Name of the service.
        name: String,
    },
    /// Show what a service has written.
    Logs {
        /// Name of the service.
        name: String,
        /// Go on with what it writes, as it comes.
        #[arg(long, short)]
        follow: bool,
        /// How many of the newest lines to begin with.
        #[arg(long, short = 'n', default_value_t = 100, value_parser = clap::value_parser!(i32).range(1..=500))]
        tail: i32,
        /// Only lines that have this in them.
        #[arg(long, default_value = "")]
        search: String,
    },
}

/// A service to add.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArguments {
    /// Name of the agent, `projects/{project}/agents/{agent}`.
    agent: String,
    /// Last part of the service's name; made of the program's name if not given.
    #[arg(long, default_value = "")]
    id: String,
    /// Name for people.
    #[arg(long, default_value = "")]
    display_name: String,
    /// A variable of its environment, `NAME=VALUE`; may be given several times.
    #[arg(long, value_parser = variable)]
    env: Vec<(String, String)>,
    /// Whole path of the folder that it runs in.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// A service that must run before it; may be given several times.
    #[arg(long)]
    depends_on: Vec<String>,
    /// When it is started again.
    #[arg(long, value_enum, default_value_t = Again::OnFailure)]
    restart: Again,
    /// How often in a row it is started again.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(i32).range(1..))]
    max_restarts: i32,
    /// It is well while this answers: `127.0.0.1:8080`.
    #[arg(long, conflicts_with = "probe_http")]
    probe_tcp: Option<String>,
    /// It is well while this answers: `http://127.0.0.1:8080/health`.
    #[arg(long)]
    probe_http: Option<String>,
    /// Do not start it.
    #[arg(long)]
    manual: bool,
    /// Whole path of the program, and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    program: Vec<String>,
}

/// When a service is started again.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Again {
    /// After failures.
    OnFailure,
    /// Whenever it has ended.
    Always,
    /// Never.
    Never,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl ServicesCommand {
    pub(crate) async fn run(self, client: &mut HostClient, format: OutputFormat) -> Result<()> {
        match self {
            Self::List { agent } => list(client, agent, format).await,
            Self::Get { name } => {
                let service = client.get_service(GetServiceRequest { name }).await?.into_inner();
                show(&service, format)
            }
            Self::Create(arguments) => {
                let service = client.create_service(arguments.request()?).await?.into_inner();
                show(&service, format)
            }
            Self::Delete { name } => {
                let request = DeleteServiceRequest { name: name.clone(), etag: String::new() };
                client.delete_service(request).await?;
                output::deleted(&name, format);
                Ok(())
            }
            Self::Start { name } => {
                let service = client.start_service(StartServiceRequest { name }).await?.into_inner();
                show(&service, format)
            }
            Self::Stop { name } => {
                let service = client.stop_service(StopServiceRequest { name }).await?.into_inner();
                show(&service, format)
            }
            Self::Restart { name } => {
                let request = RestartServiceRequest { name, request_id: new_request_id() };
                show(&client.restart_service(request).await?.into_inner(), format)
            }
            Self::Logs { name, follow, tail, search } => {
                let request = WatchServiceLogRequest {
                    name,
                    tail_lines: tail,
                    search,
                    once: !follow,
                    ..WatchServiceLogRequest::default()
                };
                logs(client, request, format).await
            }
        }
    }
}

impl CreateArguments {
    fn request(self) -> Result<CreateServiceRequest> {
        let mut words = self.program.into_iter();
        let condition = match self.restart {
            Again::OnFailure => RestartCondition::OnFailure,
            Again::Always => RestartCondition::Always,
            Again::Never => RestartCondition::Never,
        };
        let check = self.probe_tcp.map(Check::TcpAddress).or(self.probe_http.map(Check::HttpUrl));
        let folder = self.folder.map(|folder| folder.to_string_lossy().into_owned());
        let service = Service {
            display_name: self.display_name,
            program: words.next().context("a program is missing")?,
            arguments: words.collect(),
            environment: self.env.into_iter().collect::<HashMap<_, _>>(),
            folder: folder.unwrap_or_default(),
            depends_on: self.depends_on,
            manual: self.manual,
            restart: Some(RestartPolicy {
                condition: condition.into(),
                max_restarts: self.max_restarts,
                ..RestartPolicy::default()
            }),
            probe: check.map(|check| HealthProbe { check: Some(check), ..HealthProbe::default() }),
            ..Service::default()
        };
        Ok(CreateServiceRequest {
            parent: self.agent,
            service_id: self.id,
            service: Some(service),
            request_id: new_request_id(),
        })
    }
}

async fn list(client: &mut HostClient, agent: String, format: OutputFormat) -> Result<()> {
    let mut request = ListServicesRequest { parent: agent, page_size: 256, page_token: String::new() };
    let mut all = ListServicesResponse::default();
    loop {
        let page = client.list_services(request.clone()).await?.into_inner();
        all.services.extend(page.services);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.agent.v1.ListServicesResponse");
    }
    output::table(
        &["service", "state", "since", "pid", "restarts", "exit", "program"],
        &[3, 4, 5],
        all.services.iter().map(row),
    );
    Ok(())
}

fn row(service: &Service) -> Vec<String> {
    let process = if service.process_id == 0 { String::new() } else { service.process_id.to_string() };
    vec![
        service.name.rsplit('/').next().unwrap_or_default().to_owned(),
        state_word(service.state()).to_owned(),
        output::time(service.state_time.as_ref()),
        process,
        service.restart_count.to_string(),
        service.exit_code.map(|code| code.to_string()).unwrap_or_default(),
        service.program.clone(),
    ]
}

fn show(service: &Service, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(service, "weft.agent.v1.Service");
    }
    let command = std::iter::once(&service.program).chain(&service.arguments).cloned().collect::<Vec<_>>();
    let mut lines = vec![
        ("name", service.name.clone()),
        ("state", state_word(service.state()).to_owned()),
        ("since", output::time(service.state_time.as_ref())),
        ("why", service.state_message.clone()),
        ("next start", output::time(service.next_start_time.as_ref())),
        ("restarts", service.restart_count.to_string()),
        ("command", command.join(" ")),
        ("folder", service.folder.clone()),
        ("needs", service.depends_on.join(" ")),
    ];
    if service.process_id > 0 {
        lines.push(("pid", service.process_id.to_string()));
    }
    if let Some(code) = service.exit_code {
        lines.push(("last exit", code.to_string()));
    }
    if service.configured {
        lines.push(("defined in", "agent.toml".to_owned()));
    }
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        output::line(&format!("{name:>12}  {value}"));
    }
    Ok(())
}

async fn logs(client: &mut HostClient, request: WatchServiceLogRequest, format: OutputFormat) -> Result<()> {
    let mut told = client.watch_service_log(request).await?.into_inner();
    while let Some(message) = told.message().await? {
        if format == OutputFormat::Json {
            output::json(&message, "weft.agent.v1.WatchServiceLogResponse")?;
            continue;
        }
        for line in message.lines {
            let mark = if line.stream() == OutputStream::Stderr { "!" } else { " " };
            output::line(&format!("{} {mark} {}", output::time(line.write_time.as_ref()), line.text));
        }
    }
    Ok(())
}

fn state_word(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Unspecified => "",
        ServiceState::Stopped => "stopped",
        ServiceState::Starting => "starting",
        ServiceState::Running => "running",
        ServiceState::Unhealthy => "unhealthy",
        ServiceState::BackingOff => "backing off",
        ServiceState::Failed => "failed",
        ServiceState::Stopping => "stopping",
    }
}
