//! `weft workflows`: what is wrong with a workflow graph, and what nodes there are.

use anyhow::{Result, bail};
use weft_proto::weft::execution::v1::{
    ClearKeptResultsRequest, ListNodeKindsRequest, Port, ValidateWorkflowRequest,
};

use super::whole;
use crate::{
    cli::output::{self, OutputFormat},
    client::Connection,
};

/// Workflow graphs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum WorkflowsCommand {
    /// Say what is wrong with a workflow graph. Exits with 1 if it cannot be run.
    Validate {
        /// Name of the graph, or its last part.
        graph: String,
        /// The project, where the name is a last part.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// List the kinds of nodes, with their ports and settings.
    Kinds {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Forget what steps have kept for those that would do the same again: of all workflows, one, or a name.
    ClearCache {
        /// Only of this workflow: its name, or its last part.
        #[arg(long)]
        graph: Option<String>,
        /// Only what nodes share under this name.
        #[arg(long, conflicts_with = "graph")]
        name: Option<String>,
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
}

impl WorkflowsCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.executions();
        match self {
            Self::Validate { graph, project } => {
                let request = ValidateWorkflowRequest { graph: whole(&project, "graphs", &graph) };
                let found = client.validate_workflow(request).await?.into_inner();
                match format {
                    OutputFormat::Json => output::json(&found, "weft.execution.v1.ValidateWorkflowResponse")?,
                    OutputFormat::Table if found.faults.is_empty() => {
                        output::line(&format!("revision {} can be run", found.graph_revision));
                    }
                    OutputFormat::Table => {
                        let rows = found.faults.iter().map(|fault| {
                            let place = if fault.port.is_empty() { &fault.property } else { &fault.port };
                            let what = if fault.warning { "warning" } else { "error" };
                            vec![
                                what.to_owned(),
                                fault.node.clone(),
                                place.clone(),
                                fault.reason.clone(),
                                fault.message.clone(),
                            ]
                        });
                        output::table(&["", "node", "port or property", "reason", "what"], &[], rows);
                    }
                }
                if found.faults.iter().any(|fault| !fault.warning) {
                    bail!("the workflow cannot be run");
                }
                Ok(())
            }
            Self::ClearCache { graph, name, project } => {
                let request = ClearKeptResultsRequest {
                    parent: format!("projects/{project}"),
                    graph: graph.map(|graph| whole(&project, "graphs", &graph)).unwrap_or_default(),
                    cache_name: name.unwrap_or_default(),
                };
                let cleared = client.clear_kept_results(request).await?.into_inner();
                if format == OutputFormat::Json {
                    return output::json(&cleared, "weft.execution.v1.ClearKeptResultsResponse");
                }
                output::line(&format!("{} forgotten", cleared.cleared_count));
                Ok(())
            }
            Self::Kinds { project } => {
                let request = ListNodeKindsRequest {
                    parent: format!("projects/{project}"),
                    page_size: 1_000,
                    ..ListNodeKindsRequest::default()
                };
                let kinds = client.list_node_kinds(request).await?.into_inner();
                if format == OutputFormat::Json {
                    return output::json(&kinds, "weft.execution.v1.ListNodeKindsResponse");
                }
                let names =
                    |ports: &[Port]| ports.iter().map(|port| port.name.clone()).collect::<Vec<_>>().join(" ");
                let rows = kinds.node_kinds.iter().map(|kind| {
                    vec![
                        kind.kind.clone(),
                        names(&kind.input_ports),
                        names(&kind.output_ports),
                        kind.description.split(". ").next().unwrap_or_default().to_owned(),
                    ]
                });
                output::table(&["kind", "in", "out", "what it does"], &[], rows);
                Ok(())
            }
        }
    }
}
