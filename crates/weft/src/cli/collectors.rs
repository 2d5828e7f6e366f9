//! `weft agents configuration` and `restart`: agents that speak OpAMP.

use std::{collections::HashMap, path::PathBuf};

use anyhow::{Context, Result};
use prost_types::FieldMask;
use weft_proto::weft::agent::v1::{
    Collector, CollectorConfiguration, CollectorTransport, ConfigurationFile, ConfigurationState,
    ConfigurationStatus, GetCollectorConfigurationRequest, UpdateCollectorConfigurationRequest,
};

use super::{output, output::OutputFormat};
use crate::client::CollectorClient;

/// What to do with a collector's configuration: show it, if nothing else is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigurationArguments {
    /// Name of the agent, `projects/{project}/agents/{agent}`.
    name: String,
    /// Offer the configuration that this file holds.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["clear", "effective"])]
    set: Option<PathBuf>,
    /// What kind of file it is.
    #[arg(long, value_name = "TYPE", default_value = "text/yaml", requires = "set")]
    content_type: String,
    /// Offer nothing any more. The collector keeps what it has.
    #[arg(long, conflicts_with = "effective")]
    clear: bool,
    /// Show what the collector runs with, and nothing else.
    #[arg(long)]
    effective: bool,
}

pub(crate) async fn configuration(
    client: &mut CollectorClient,
    arguments: ConfigurationArguments,
    format: OutputFormat,
) -> Result<()> {
    let name = format!("{}/collectorConfiguration", arguments.name);
    let configuration = if let Some(file) = &arguments.set {
        let content = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let content_type = arguments.content_type.clone();
        let files = HashMap::from([(String::new(), ConfigurationFile { content, content_type })]);
        update(client, name, files).await?
    } else if arguments.clear {
        update(client, name, HashMap::new()).await?
    } else {
        client.get_collector_configuration(GetCollectorConfigurationRequest { name }).await?.into_inner()
    };
    if format == OutputFormat::Json {
        return output::json(&configuration, "weft.agent.v1.CollectorConfiguration");
    }
    if arguments.effective {
        show_files(&configuration.effective_files);
        return Ok(());
    }
    show(&configuration);
    Ok(())
}

async fn update(
    client: &mut CollectorClient,
    name: String,
    files: HashMap<String, ConfigurationFile>,
) -> Result<CollectorConfiguration> {
    let configuration = CollectorConfiguration { name, files, ..CollectorConfiguration::default() };
    let request = UpdateCollectorConfigurationRequest {
        collector_configuration: Some(configuration),
        update_mask: Some(FieldMask { paths: vec!["files".to_owned()] }),
    };
    Ok(client.update_collector_configuration(request).await?.into_inner())
}

fn show(configuration: &CollectorConfiguration) {
    match &configuration.status {
        Some(status) => {
            output::line(&format!(
                "# offered {}: {}",
                output::time(status.offer_time.as_ref()),
                state(status)
            ));
            show_files(&configuration.files);
        }
        None => output::line("# nothing is offered"),
    }
    if configuration.effective_too_large {
        output::line("# what it runs with is too large to be kept");
    } else if configuration.effective_time.is_some() {
        let since = output::time(configuration.effective_time.as_ref());
        output::line(&format!("# runs since {since} with"));
        show_files(&configuration.effective_files);
    } else {
        output::line("# what it runs with it has not told");
    }
}

fn show_files(files: &HashMap<String, ConfigurationFile>) {
    let mut files: Vec<_> = files.iter().collect();
    files.sort_by_key(|(name, _)| *name);
    for (name, file) in files {
        if !name.is_empty() {
            output::line(&format!("# {name}"));
        }
        output::line(file.content.trim_end());
    }
}

/// How a collector stands with what it was offered, in words.
fn state(status: &ConfigurationStatus) -> String {
    let word = match status.state() {
        ConfigurationState::Unspecified => "not known",
        ConfigurationState::Offered => "not answered yet",
        ConfigurationState::Applying => "is being applied",
        ConfigurationState::Applied => "applied",
        ConfigurationState::Failed => "failed",
    };
    if status.error_message.is_empty() {
        word.to_owned()
    } else {
        format!("{word}: {}", status.error_message)
    }
}

/// What `weft agents get` shows of a collector besides.
pub(crate) fn lines(collector: &Collector) -> Vec<(&'static str, String)> {
    let transport = match collector.transport() {
        CollectorTransport::Unspecified => "",
        CollectorTransport::Websocket => "WebSocket",
        CollectorTransport::Http => "HTTP",
    };
    let mut lines = vec![("instance", collector.instance_uid.clone()), ("by", transport.to_owned())];
    if let Some(status) = &collector.configuration {
        lines.push(("configuration", state(status)));
    }
    if collector.restart_request_time.is_some() {
        lines.push(("restart", "asked for, not told yet".to_owned()));
    } else if collector.restart_time.is_some() {
        lines.push(("told to restart", output::time(collector.restart_time.as_ref())));
    }
    for part in &collector.health {
        let path = if part.path.is_empty() { "all".to_owned() } else { part.path.join(" › ") };
        let word = if part.healthy { "well" } else { "not well" };
        let why = [&part.status, &part.last_error].map(String::as_str);
        let why: Vec<_> = why.into_iter().filter(|text| !text.is_empty()).collect();
        lines.push(("health", format!("{path}: {word} {}", why.join(", ")).trim_end().to_owned()));
    }
    lines
}
