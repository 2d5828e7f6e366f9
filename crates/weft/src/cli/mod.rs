//! What people type.
//!
//! Exit codes: 0 done; 1 a fault; 2 the command line is wrong; 3 not found; 4 not allowed;
//! 5 somebody else was faster, or it is there already; 6 not reachable or not in time; 7 what was
//! sent is wrong.

mod agent;
mod agents;
mod alerts;
mod analyses;
mod collectors;
mod commands;
mod config;
mod executions;
mod exit;
mod gateway;
mod graph;
mod health;
mod hosts;
mod identity;
mod import;
mod knowledge;
mod layouts;
mod objects;
mod open_files;
mod output;
mod run;
mod secrets;
mod services;
mod source;
mod target;
mod telemetry;
mod triggers;
mod workers;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::{Flags, Source};

pub use output::OutputFormat;

/// A gRPC service mesh with typed contracts: graphs that are kept, laid out live, and changed by
/// everybody at once.
#[derive(Debug, Parser)]
#[command(name = "weft", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 a fault, 2 usage, 3 not found, 4 not allowed, 5 conflict, 6 unreachable or too late, 7 invalid input."
)]
pub struct Arguments {
    /// Configuration file (TOML).
    #[arg(long, global = true, env = "WEFT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// How results are printed.
    #[arg(long, short = 'o', global = true, value_enum, default_value_t = OutputFormat::Table)]
    output: OutputFormat,
    #[command(flatten)]
    target: target::Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a whole mesh in this process.
    Up(run::Up),
    /// Start only some services in this process; the others are found by `peers` in the configuration.
    Serve(run::Serve),
    /// Create, list, fill, search and take out graphs.
    #[command(subcommand)]
    Graph(graph::GraphCommand),
    /// Bring folders in, and keep graphs true to them.
    #[command(subcommand)]
    Source(source::SourceCommand),
    /// Layouts of graphs, and what they keep to.
    #[command(subcommand)]
    Layouts(layouts::LayoutsCommand),
    /// Analyse graphs: components, ranks, communities, and more.
    #[command(subcommand)]
    Analyses(analyses::AnalysesCommand),
    /// What the edge serves, and calling any of it with JSON.
    #[command(subcommand)]
    Gateway(gateway::GatewayCommand),
    /// The fleet: agents on many hosts, and what they join with.
    #[command(subcommand)]
    Agents(agents::AgentsCommand),
    /// Commands for agents: submit, watch, cancel, and what can be asked.
    #[command(subcommand)]
    Commands(commands::CommandsCommand),
    /// Run a workflow graph. Exits with 1 if `--follow` sees it fail.
    Run(executions::Run),
    /// Runs of workflow graphs: list, steps, watch, cancel, pause, retry, approve.
    #[command(subcommand)]
    Executions(executions::ExecutionsCommand),
    /// Workflow graphs: what is wrong with one, and what nodes there are.
    #[command(subcommand)]
    Workflows(executions::WorkflowsCommand),
    /// Programs that do the tasks of workflows: who is attached, which queues there are, and doing tasks with a program.
    #[command(subcommand, visible_alias = "worker")]
    Workers(workers::WorkersCommand),
    /// Files of a project that its workflows work with: put, get, list, delete.
    #[command(subcommand)]
    Objects(objects::ObjectsCommand),
    /// Secrets that workflows use and nobody is shown: set, list, delete.
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// Numbers over time: query, range, series, watch, forecast, anomalies.
    #[command(subcommand)]
    Telemetry(telemetry::TelemetryCommand),
    /// Alerts: what fires, rules, silences.
    #[command(subcommand)]
    Alerts(alerts::AlertsCommand),
    /// Triggers: webhooks, schedules and events that start workflow graphs, and what came to them.
    #[command(subcommand)]
    Triggers(triggers::TriggersCommand),
    /// The agent of this host.
    Agent(agent::AgentArguments),
    /// API keys.
    #[command(subcommand)]
    Key(identity::KeyCommand),
    /// Who am I, and what may I do?
    Whoami,
    /// Print a link that signs a browser in, once.
    Login,
    /// Show or check the configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Is the mesh ready?
    Health(health::HealthCommand),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Runs what was typed.
pub fn run(arguments: Arguments) -> ExitCode {
    // Before there are threads: the limits of a script would be theirs too.
    if let Command::Agent(agent) = &arguments.command
        && let Some(launch) = agent.launch()
    {
        return launch.become_it().map_or_else(|error| exit::fail(&error), |()| ExitCode::SUCCESS);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::fail(&error.into()),
    };
    let result = runtime.block_on(dispatch(arguments));
    // Standard input may still be read by a thread that nobody can wake.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::fail(&error),
    }
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { config, output, target, command } = arguments;
    let source = |flags: Flags| Source { file: config.clone(), flags };
    match command {
        Command::Up(up) => {
            let source = source(up.flags());
            Box::pin(up.run(source)).await
        }
        Command::Serve(serve) => {
            let source = source(serve.flags());
            Box::pin(serve.run(source)).await
        }
        Command::Config(command) => command.run(config.as_deref(), output),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "weft", &mut std::io::stdout());
            Ok(())
        }
        Command::Graph(command) => command.run(&target.connect()?, output).await,
        Command::Source(command) => command.run(&target.connect()?, output).await,
        Command::Layouts(command) => command.run(&target.connect()?, output).await,
        Command::Analyses(command) => command.run(&target.connect()?, output).await,
        Command::Gateway(command) => command.run(&target.connect()?, output).await,
        Command::Agents(command) => command.run(&target.connect()?, output).await,
        Command::Commands(command) => command.run(&target.connect()?, output).await,
        Command::Run(run) => run.run(&target.connect()?, output).await,
        Command::Executions(command) => command.run(&target.connect()?, output).await,
        Command::Workflows(command) => command.run(&target.connect()?, output).await,
        Command::Workers(command) => command.run(&target.connect()?, output).await,
        Command::Objects(command) => command.run(&target.connect()?, output).await,
        Command::Secrets(command) => command.run(&target.connect()?, output).await,
        Command::Telemetry(command) => command.run(&target.connect()?, output).await,
        Command::Alerts(command) => command.run(&target.connect()?, output).await,
        Command::Triggers(command) => Box::pin(command.run(&target.connect()?, output)).await,
        Command::Agent(arguments) => arguments.run(&target, output).await,
        Command::Key(command) => command.run(&target.connect()?, output).await,
        Command::Whoami => identity::who_am_i(&target.connect()?, output).await,
        Command::Login => identity::login(&target.connect()?, output).await,
        Command::Health(command) => command.run(&target.connect_without_key()?, output).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }

    #[test]
    fn every_service_that_can_be_started_alone_is_named() {
        let mut command = super::Arguments::command();
        let serve = command.find_subcommand_mut("serve").expect("there is one");
        let help = serve.render_long_help().to_string();
        let services = crate::node::ROLES.iter().map(|role| role.name);
        let missing: Vec<_> = services.filter(|name| !help.contains(&format!("{name}, "))).collect();
        assert_eq!(missing, ["gateway"], "it is the last one: {help}");
    }
}
