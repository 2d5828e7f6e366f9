//! `weft agent`: the agent of this host.

use std::path::PathBuf;

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use weft_kit::config::ObserveOptions;

use super::{
    output::{OutputFormat, line},
    target::Target,
};
use crate::{
    agent::{self, Home, Launch},
    config::default_data,
};

/// The agent of this host.
#[derive(Debug, clap::Args)]
pub(crate) struct AgentArguments {
    /// Folder of the agent: its key, and which mesh it belongs to. `agent` in the data folder if not given.
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    #[command(subcommand)]
    command: AgentCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AgentCommand {
    /// Join the fleet of a mesh (--url; with `wss://HOST/v1/agent` by a WebSocket): make a key, and use an
    /// enrolment token up.
    Enroll {
        /// The token: `weft agents token create` makes one.
        #[arg(long, env = "WEFT_ENROLLMENT_TOKEN", hide_env_values = true)]
        token: String,
        /// Last part of the agent's name; made of the host's name if not given.
        #[arg(long, default_value = "")]
        id: String,
    },
    /// Be there: connected to the mesh until told to end.
    Run,
    /// Which mesh does this host belong to, and by which key?
    Status,
    /// How the agent begins a script of its allow-list.
    #[command(hide = true)]
    Launch(Launch),
}

impl AgentArguments {
    /// The script that this process is to become.
    pub(crate) fn launch(&self) -> Option<&Launch> {
        if let AgentCommand::Launch(launch) = &self.command { Some(launch) } else { None }
    }

    pub(crate) async fn run(self, target: &Target, format: OutputFormat) -> Result<()> {
        let data = || target.data.clone().unwrap_or_else(default_data);
        let home = Home(self.home.unwrap_or_else(|| data().join("agent")));
        match self.command {
            AgentCommand::Enroll { token, id } => {
                let ca_file = target.ca_file().map(std::fs::canonicalize).transpose()?;
                agent::enroll(&home, target.url()?, ca_file, token.trim(), id).await?;
                status(&home, format)
            }
            AgentCommand::Launch(launch) => launch.become_it(),
            AgentCommand::Status => status(&home, format),
            AgentCommand::Run => {
                let _observation = weft_kit::observe::start(&ObserveOptions::default(), "weft-agent")
                    .map_err(anyhow::Error::msg)?;
                let stop = CancellationToken::new();
                let (mut interrupt, mut terminate) =
                    (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
                let told = async {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    stop.cancel();
                    // The agent says goodbye, and ends.
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    ended = agent::run(&home, stop.clone()) => ended,
                    () = told => Ok(()),
                }
            }
        }
    }
}

fn status(home: &Home, format: OutputFormat) -> Result<()> {
    let (settings, key_id) = (home.settings()?, home.key()?.id());
    match format {
        OutputFormat::Table => {
            line(&format!("{} of {}", settings.name, settings.url));
            line(&format!("  key {key_id}"));
        }
        OutputFormat::Json => {
            let status = serde_json::json!({ "name": settings.name, "url": settings.url, "keyId": key_id });
            line(&status.to_string());
        }
    }
    Ok(())
}
