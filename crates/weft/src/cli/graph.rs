//! `weft graph`: graphs from the shell.

use std::{io::Write, path::PathBuf};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use tonic::Code;
use weft_proto::weft::graph::v1::{
    CreateGraphRequest, DeleteGraphRequest, ExportGraphRequest, GetGraphRequest, GetStatisticsRequest, Graph,
    GraphFormat, ImportBegin, ImportMode, ImportProgress, ImportResult, ListGraphsRequest,
    ListGraphsResponse, PropertyLink, SearchNodesRequest,
};

use super::{
    identity::new_request_id,
    import::files,
    output::{self, OutputFormat, number},
};
use crate::client::{Connection, GraphClient, import};

/// Create, list, fill, search and take out graphs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum GraphCommand {
    /// List the graphs of a project.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
        /// Only those that match, for example `node_count > 100`.
        #[arg(long, default_value = "")]
        filter: String,
    },
    /// Show a graph and its statistics.
    Show {
        /// Id of the graph, or its whole name.
        graph: String,
    },
    /// Create an empty graph.
    Create {
        /// Id of the graph, or its whole name.
        graph: String,
        /// Name for people.
        #[arg(long, default_value = "")]
        display_name: String,
    },
    /// Delete a graph with all its history.
    Delete {
        /// Id of the graph, or its whole name.
        graph: String,
    },
    /// Bring files in: edge lists, CSV, GraphML, GEXF, JSON, Markdown and Logseq folders.
    Import(ImportArguments),
    /// Take a graph out as a file.
    Export(ExportArguments),
    /// Find nodes by words.
    Search {
        /// Id of the graph, or its whole name.
        graph: String,
        /// The words.
        #[arg(required = true)]
        words: Vec<String>,
        /// How many results at most.
        #[arg(long, default_value_t = 20)]
        limit: i32,
        /// Only nodes that match, for example `type = "libs"`.
        #[arg(long, default_value = "")]
        filter: String,
    },
}

/// Bring files in.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArguments {
    /// Files or folders; `-` is standard input.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Id of the graph, or its whole name. It is created if it does not exist.
    #[arg(long)]
    graph: String,
    /// Format; found out from names and content if not given.
    #[arg(long, value_enum)]
    format: Option<FormatArgument>,
    /// Delete what is there and is not in the files.
    #[arg(long)]
    replace: bool,
    /// A property of pages whose values become nodes, for example "author", or "author=creator" to
    /// name their type.
    #[arg(long = "link", value_name = "PROPERTY[=TYPE]")]
    links: Vec<String>,
    /// Type of nodes for which the files tell none.
    #[arg(long, default_value = "")]
    node_type: String,
    /// Type of edges for which the files tell none.
    #[arg(long, default_value = "")]
    edge_type: String,
}

/// `author=creator`: the values of the property become nodes of that type.
pub(super) fn property_link(link: &str) -> PropertyLink {
    let (property, node_type) = link.split_once('=').unwrap_or((link, ""));
    PropertyLink { property: property.into(), node_type: node_type.into(), edge_type: String::new() }
}

/// Take a graph out.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArguments {
    /// Id of the graph, or its whole name.
    graph: String,
    /// Format.
    #[arg(long, value_enum)]
    format: FormatArgument,
    /// Where to; standard output if not given. A name that ends in .gz is compressed.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Only nodes that match and the edges between them.
    #[arg(long, default_value = "")]
    filter: String,
}

/// A format.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum FormatArgument {
    /// Lines of source and target.
    EdgeList,
    /// Comma-separated values.
    Csv,
    /// GraphML.
    Graphml,
    /// GEXF.
    Gexf,
    /// JSON Graph Format.
    Json,
    /// Markdown with wiki links.
    Markdown,
    /// Logseq.
    Logseq,
}

impl From<FormatArgument> for GraphFormat {
    fn from(format: FormatArgument) -> Self {
        match format {
            FormatArgument::EdgeList => Self::EdgeList,
            FormatArgument::Csv => Self::Csv,
            FormatArgument::Graphml => Self::Graphml,
            FormatArgument::Gexf => Self::Gexf,
            FormatArgument::Json => Self::JsonGraph,
            FormatArgument::Markdown => Self::Markdown,
            FormatArgument::Logseq => Self::Logseq,
        }
    }
}

impl GraphCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.graph();
        match self {
            Self::List { project, filter } => list(&mut client, &project, &filter, format).await,
            Self::Show { graph } => show(&mut client, &full_name(&graph), format).await,
            Self::Create { graph, display_name } => {
                let made = create(&mut client, &full_name(&graph), display_name).await?;
                print_graph(&made, format)
            }
            Self::Delete { graph } => {
                let name = full_name(&graph);
                client.delete_graph(DeleteGraphRequest { name: name.clone(), etag: String::new() }).await?;
                output::deleted(&name, format);
                Ok(())
            }
            Self::Import(arguments) => bring_in(&mut client, arguments, format).await,
            Self::Export(arguments) => take_out(&mut client, arguments).await,
            Self::Search { graph, words, limit, filter } => {
                let request = SearchNodesRequest {
                    graph: full_name(&graph),
                    query: words.join(" "),
                    page_size: limit,
                    filter,
                    page_token: String::new(),
                };
                search(&mut client, request, format).await
            }
        }
    }
}

/// `debian` is `projects/default/graphs/debian`.
pub(super) fn full_name(graph: &str) -> String {
    if graph.contains('/') { graph.to_owned() } else { format!("projects/default/graphs/{graph}") }
}

async fn list(client: &mut GraphClient, project: &str, filter: &str, format: OutputFormat) -> Result<()> {
    let mut all = ListGraphsResponse::default();
    let mut page_token = String::new();
    loop {
        let request = ListGraphsRequest {
            parent: format!("projects/{project}"),
            page_size: 1_000,
            page_token,
            filter: filter.to_owned(),
            order_by: String::new(),
        };
        let page = client.list_graphs(request).await?.into_inner();
        all.graphs.extend(page.graphs);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.graph.v1.ListGraphsResponse");
    }
    let rows = all.graphs.iter().map(|graph| {
        vec![
            graph.name.clone(),
            number(graph.node_count),
            number(graph.edge_count),
            number(graph.revision),
            output::time(graph.update_time.as_ref()),
            graph.display_name.clone(),
        ]
    });
    output::table(&["name", "nodes", "edges", "revision", "updated", "title"], &[1, 2, 3], rows);
    Ok(())
}

async fn show(client: &mut GraphClient, name: &str, format: OutputFormat) -> Result<()> {
    let graph = client.get_graph(GetGraphRequest { name: name.to_owned() }).await?.into_inner();
    if format == OutputFormat::Json {
        return output::json(&graph, "weft.graph.v1.Graph");
    }
    let statistics =
        client.get_statistics(GetStatisticsRequest { graph: name.to_owned() }).await?.into_inner();
    let fields = [
        ("name", graph.name.clone()),
        ("title", graph.display_name.clone()),
        ("about", graph.description.clone()),
        ("revision", number(graph.revision)),
        ("updated", output::time(graph.update_time.as_ref())),
        ("nodes", number(statistics.node_count)),
        ("edges", number(statistics.edge_count)),
        (
            "components",
            format!(
                "{} (largest {})",
                number(statistics.component_count),
                number(statistics.largest_component_node_count)
            ),
        ),
        ("alone", number(statistics.isolated_node_count)),
        ("mean degree", format!("{:.2}", statistics.mean_degree)),
        ("memory", format!("{:.1} MB", statistics.memory_bytes as f64 / 1e6)),
    ];
    for (field, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        output::line(&format!("{field:<12}{value}"));
    }
    let hubs = statistics.hubs.iter().take(10).map(|hub| vec![hub.name.clone(), number(hub.count)]);
    output::line("");
    output::table(&["most connected", "degree"], &[1], hubs);
    Ok(())
}

async fn create(client: &mut GraphClient, name: &str, display_name: String) -> Result<Graph> {
    let (parent, graph_id) =
        name.split_once("/graphs/").context("a graph's name is projects/{project}/graphs/{graph}")?;
    let request = CreateGraphRequest {
        parent: parent.to_owned(),
        graph_id: graph_id.to_owned(),
        graph: Some(Graph { display_name, ..Graph::default() }),
        request_id: new_request_id(),
    };
    Ok(client.create_graph(request).await?.into_inner())
}

fn print_graph(graph: &Graph, format: OutputFormat) -> Result<()> {
    match format {
        OutputFormat::Json => output::json(graph, "weft.graph.v1.Graph"),
        OutputFormat::Table => {
            output::line(&graph.name);
            Ok(())
        }
    }
}

async fn bring_in(client: &mut GraphClient, arguments: ImportArguments, format: OutputFormat) -> Result<()> {
    let name = full_name(&arguments.graph);
    let files = files(&arguments.paths)?;
    match client.get_graph(GetGraphRequest { name: name.clone() }).await {
        Ok(_) => {}
        Err(status) if status.code() == Code::NotFound => drop(create(client, &name, String::new()).await?),
        Err(status) => return Err(status.into()),
    }
    let begin = ImportBegin {
        graph: name,
        format: arguments.format.map_or(GraphFormat::Unspecified, GraphFormat::from).into(),
        mode: if arguments.replace { ImportMode::Replace } else { ImportMode::Merge }.into(),
        request_id: new_request_id(),
        expected_revision: None,
        default_node_type: arguments.node_type,
        default_edge_type: arguments.edge_type,
        property_links: arguments.links.iter().map(|link| property_link(link)).collect(),
    };
    let bar = progress_bar(files.iter().map(|file| file.size).sum())?;
    let result = import(client, begin, files, |so_far: &ImportProgress| {
        bar.set_position(so_far.received_bytes.unsigned_abs());
        bar.set_message(format!("{} nodes, {} edges", number(so_far.node_count), number(so_far.edge_count)));
    })
    .await;
    bar.finish_and_clear();
    let result = result?;
    if format == OutputFormat::Json {
        return output::json(&result, "weft.graph.v1.ImportResult");
    }
    print_result(&result);
    Ok(())
}

/// What an import or a refresh did.
pub(super) fn print_result(result: &ImportResult) {
    output::line(&format!(
        "revision {}: nodes {} new, {} changed, {} deleted; edges {} new, {} changed, {} deleted",
        number(result.revision),
        number(result.created_node_count),
        number(result.updated_node_count),
        number(result.deleted_node_count),
        number(result.created_edge_count),
        number(result.updated_edge_count),
        number(result.deleted_edge_count),
    ));
    for warning in result.warnings.iter().take(10) {
        output::line(&format!("warning: {}:{}: {}", warning.path, warning.line, warning.message));
    }
    if result.warning_count > 10 {
        output::line(&format!("{} warnings in all", number(result.warning_count)));
    }
}

/// A bar on standard error; it hides itself where nobody looks.
fn progress_bar(bytes: u64) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec}  {msg}")?;
    Ok(ProgressBar::new(bytes).with_style(style))
}

async fn take_out(client: &mut GraphClient, arguments: ExportArguments) -> Result<()> {
    let gzip =
        arguments.to.as_ref().is_some_and(|path| path.extension().is_some_and(|extension| extension == "gz"));
    let request = ExportGraphRequest {
        graph: full_name(&arguments.graph),
        format: GraphFormat::from(arguments.format).into(),
        filter: arguments.filter,
        gzip,
    };
    let mut stream = client.export_graph(request).await?.into_inner();
    let Some(path) = arguments.to else {
        let mut out = std::io::stdout().lock();
        while let Some(piece) = stream.message().await? {
            out.write_all(&piece.data)?;
        }
        return Ok(out.flush()?);
    };
    // Beside its place first, so that a broken export never looks like a whole one.
    let partial =
        path.with_file_name(format!(".{}.part", path.file_name().unwrap_or_default().to_string_lossy()));
    let mut file = std::fs::File::create(&partial).with_context(|| partial.display().to_string())?;
    while let Some(piece) = stream.message().await? {
        file.write_all(&piece.data)?;
    }
    file.sync_all()?;
    std::fs::rename(&partial, &path).with_context(|| path.display().to_string())
}

async fn search(client: &mut GraphClient, request: SearchNodesRequest, format: OutputFormat) -> Result<()> {
    let response = client.search_nodes(request).await?.into_inner();
    if format == OutputFormat::Json {
        return output::json(&response, "weft.graph.v1.SearchNodesResponse");
    }
    let rows = response.results.iter().map(|result| {
        let node = result.node.clone().unwrap_or_default();
        let snippet = result.snippet.replace(['\u{2}', '\u{3}'], "");
        vec![node.key, node.r#type, format!("{:.2}", result.score), snippet]
    });
    output::table(&["key", "type", "score", "text"], &[2], rows);
    output::line(&format!("{} in all", number(response.total_size)));
    Ok(())
}
