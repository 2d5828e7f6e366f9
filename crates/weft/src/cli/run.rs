//! `weft up` and `weft serve`: running a node until it is told to end.

use std::{collections::BTreeMap, io::IsTerminal, path::PathBuf, process};

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_stream::wrappers::ReceiverStream;
use weft_graph::FolderOptions;

use super::{open_files, output::line};
use crate::{
    config::{Flags, GraphFlags, HostAgentFlags, Source},
    node::{Node, ROLES},
};

/// Start a whole mesh in this process.
#[derive(Debug, clap::Args)]
pub(crate) struct Up {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Bring in a real graph to look at: the packages of Debian and which needs which.
    #[arg(long)]
    demo: bool,
    /// Open a folder to sources of all projects: `notes=/home/me/notes`. Can be repeated.
    #[arg(long = "folder", value_name = "NAME=PATH", value_parser = folder)]
    folders: Vec<(String, PathBuf)>,
    /// Do not watch this host: no agent runs in this process.
    #[arg(long)]
    no_host_agent: bool,
    #[arg(from_global)]
    data: Option<PathBuf>,
}

/// Start some services in this process.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The services: identity, graph, compute, agent, command, execution, telemetry, trigger, gateway.
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    #[arg(from_global)]
    data: Option<PathBuf>,
}

/// `notes=/home/me/notes`, the path relative to where the command is typed.
fn folder(text: &str) -> Result<(String, PathBuf)> {
    let (name, path) = text.split_once('=').context("must be NAME=PATH")?;
    let path = std::fs::canonicalize(path).with_context(|| path.to_owned())?;
    Ok((name.to_owned(), path))
}

fn open_to_all((name, path): &(String, PathBuf)) -> (String, FolderOptions) {
    let open = FolderOptions { path: path.clone(), projects: vec!["*".into()], description: String::new() };
    (name.clone(), open)
}

impl Up {
    pub(crate) fn flags(&self) -> Flags {
        let folders: BTreeMap<_, _> = self.folders.iter().map(open_to_all).collect();
        let graph = (!folders.is_empty()).then_some(GraphFlags { folders });
        let host_agent = self.no_host_agent.then_some(HostAgentFlags { enabled: false });
        Flags { data: self.data.clone(), listen: self.listen.clone(), graph, host_agent }
    }

    pub(crate) async fn run(self, source: Source) -> Result<()> {
        let config = source.read()?;
        let _observation = weft_kit::observe::start(&config.observe, "weft").map_err(anyhow::Error::msg)?;
        open_files::allow(config.server.max_connections);
        let data = config.data.clone();
        let mut signals = Signals::listen()?;
        let roles = ROLES.map(|role| role.name);
        let start = Box::pin(Node::start(config, &roles));
        let Some(node) = signals.unless_told(start).await? else { return Ok(()) };
        if self.demo {
            node.bring_demo().await?;
        }
        node.watch_own_host();
        line(&format!("weft is up at {}", node.url));
        line(&format!(
            "  console   {}   (signs in once; `weft login` makes another)",
            node.sign_in_link().await?
        ));
        line(&format!("  API key   {}", data.join("admin.key").display()));
        line(&format!("  API       {}/openapi.json", node.url));
        if !weft_gateway::has_console() {
            line("  The console was left out of this build; `make up` builds it too.");
        }
        signals.until_told(node, source).await
    }
}

impl Serve {
    pub(crate) fn flags(&self) -> Flags {
        Flags { data: self.data.clone(), listen: self.listen.clone(), ..Flags::default() }
    }

    pub(crate) async fn run(self, source: Source) -> Result<()> {
        let config = source.read()?;
        let _observation = weft_kit::observe::start(&config.observe, "weft").map_err(anyhow::Error::msg)?;
        open_files::allow(config.server.max_connections);
        let names: Vec<&str> = self.services.iter().map(String::as_str).collect();
        let mut signals = Signals::listen()?;
        let start = Box::pin(Node::start(config, &names));
        let Some(node) = signals.unless_told(start).await? else { return Ok(()) };
        line(&format!("{} at {}", names.join(", "), node.url));
        signals.until_told(node, source).await
    }
}

/// What people and supervisors tell the process.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// None is lost from here on: one that comes while the node starts would end the process in the middle of it, after it
    /// has answered its first calls too.
    fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// A node that has started; none, if it is told to end before.
    async fn unless_told(&mut self, start: impl Future<Output = Result<Node>>) -> Result<Option<Node>> {
        tokio::select! {
            node = start => node.map(Some),
            _ = self.interrupt.recv() => Ok(None),
            _ = self.terminate.recv() => Ok(None),
        }
    }

    /// Serves until a signal; a second one ends at once.
    async fn until_told(self, node: Node, source: Source) -> Result<()> {
        let Self { mut interrupt, mut terminate, mut hangup } = self;
        // The same signal says that the terminal is gone, and that the configuration is to be read again.
        let on_terminal = std::io::stdin().is_terminal();
        let terminal_is_gone = move || on_terminal && !std::io::stdin().is_terminal();
        let (read_again, hangups) = tokio::sync::mpsc::channel(1);
        node.follow(source, ReceiverStream::new(hangups));
        let hung_up = async {
            while hangup.recv().await.is_some() && !terminal_is_gone() {
                // One that waits already is enough.
                let _ = read_again.try_send(());
            }
        };
        let failed = tokio::select! {
            _ = interrupt.recv() => false,
            _ = terminate.recv() => false,
            () = hung_up => false,
            () = node.failed() => true,
        };
        tracing::info!("ending: what runs may finish");
        tokio::select! {
            () = node.shut_down() => {}
            _ = interrupt.recv() => process::exit(130),
            _ = terminate.recv() => process::exit(143),
        }
        if failed {
            bail!("an essential part of the node failed");
        }
        Ok(())
    }
}
