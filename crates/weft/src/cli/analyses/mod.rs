//! `weft analyses`: what is computed of whole graphs.

mod communities;
mod run;
mod show;
mod watch;

use anyhow::{Result, bail};
use weft_proto::weft::compute::v1::{
    CancelAnalysisRequest, DeleteAnalysisRequest, GetAnalysisRequest, ListAnalysesRequest,
    ListAnalysisValuesRequest,
};

use super::{
    graph::full_name,
    output::{self, OutputFormat},
};
use crate::client::Connection;

/// What is computed of whole graphs: components, ranks, communities.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AnalysesCommand {
    /// Analyse a graph, and tell how that goes. Exits as the analysis ends.
    Run(Box<run::Run>),
    /// List analyses, the newest first.
    List {
        /// Id of the graph, or its whole name; all graphs of the default project if not given.
        graph: Option<String>,
        /// Only those that match, for example `algorithm = page_rank`.
        #[arg(long, default_value = "")]
        filter: String,
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one analysis, and what it found.
    Get {
        /// The analysis: GRAPH/ANALYSIS, or its whole name.
        analysis: String,
    },
    /// Tell how an analysis goes, until it has ended. Exits as it ends.
    Watch {
        /// The analysis: GRAPH/ANALYSIS, or its whole name.
        analysis: String,
    },
    /// End an analysis that waits or runs.
    Cancel {
        /// The analysis: GRAPH/ANALYSIS, or its whole name.
        analysis: String,
    },
    /// Print the values of nodes.
    Values {
        /// The analysis: GRAPH/ANALYSIS, or its whole name.
        analysis: String,
        /// `value desc`, `value`, `node`, or `ordinal`, each with ` desc` or without.
        #[arg(long, default_value = "value desc")]
        order_by: String,
        /// How many at most; 0 is all.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Tell the communities of a graph, and with `--watch` what becomes of them as it changes.
    Communities(communities::CommunitiesArguments),
    /// Forget an analysis and its values.
    Delete {
        /// The analysis: GRAPH/ANALYSIS, or its whole name.
        analysis: String,
    },
}

impl AnalysesCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.analyses();
        match self {
            Self::Run(run) => run.run(&mut client, format).await,
            Self::List { graph, filter, limit } => {
                let parent = graph.map_or("projects/default/graphs/-".to_owned(), |graph| full_name(&graph));
                let request = ListAnalysesRequest { parent, filter, ..ListAnalysesRequest::default() };
                show::list(&mut client, request, limit, format).await
            }
            Self::Get { analysis } => {
                let request = GetAnalysisRequest { name: analysis_name(&analysis)? };
                show::analysis(&client.get_analysis(request).await?.into_inner(), format)
            }
            Self::Watch { analysis } => {
                watch::to_its_end(&mut client, analysis_name(&analysis)?, format).await
            }
            Self::Cancel { analysis } => {
                let request = CancelAnalysisRequest { name: analysis_name(&analysis)? };
                show::analysis(&client.cancel_analysis(request).await?.into_inner(), format)
            }
            Self::Values { analysis, order_by, limit } => {
                let name = analysis_name(&analysis)?;
                let request =
                    ListAnalysisValuesRequest { name, order_by, ..ListAnalysisValuesRequest::default() };
                show::values(&mut client, request, limit, format).await
            }
            Self::Communities(arguments) => arguments.run(&mut client, format).await,
            Self::Delete { analysis } => {
                let name = analysis_name(&analysis)?;
                client.delete_analysis(DeleteAnalysisRequest { name: name.clone() }).await?;
                output::deleted(&name, format);
                Ok(())
            }
        }
    }
}

/// `debian/ranks` is `projects/default/graphs/debian/analyses/ranks`.
fn analysis_name(analysis: &str) -> Result<String> {
    if analysis.starts_with("projects/") {
        return Ok(analysis.to_owned());
    }
    match analysis.split_once('/') {
        Some((graph, id)) if !id.contains('/') => Ok(format!("{}/analyses/{id}", full_name(graph))),
        _ => bail!("an analysis is named GRAPH/ANALYSIS, or projects/PROJECT/graphs/GRAPH/analyses/ANALYSIS"),
    }
}

#[cfg(test)]
mod tests {
    use super::analysis_name;

    #[test]
    fn analyses_have_short_names() {
        let whole = "projects/p/graphs/g/analyses/a";
        assert_eq!(analysis_name(whole).expect("it is whole"), whole);
        assert_eq!(analysis_name("g/a").expect("it is short"), "projects/default/graphs/g/analyses/a");
        assert!(analysis_name("g").is_err());
        assert!(analysis_name("a/b/c").is_err());
    }
}
