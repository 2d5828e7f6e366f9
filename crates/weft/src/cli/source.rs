//! `weft source`: folders that graphs are brought up to date from.

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use tonic::{Code, Status};
use weft_proto::{
    google::rpc,
    weft::graph::v1::{
        CancelRefreshRequest, CreateSourceRequest, DeleteSourceRequest, FolderLocation, GetSourceRequest,
        GraphFormat, ListFoldersRequest, ListFoldersResponse, ListRefreshesRequest, ListRefreshesResponse,
        ListSourcesRequest, ListSourcesResponse, Refresh, RefreshPhase, RefreshSourceRequest, RefreshState,
        Source, WatchRefreshRequest, source::Location,
    },
};

use super::{
    graph::{FormatArgument, full_name, print_result, property_link},
    identity::new_request_id,
    output::{self, OutputFormat, number},
};
use crate::client::{Connection, SourceClient};

/// Bring folders in, and keep the graph true to them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SourceCommand {
    /// List the folders that the configuration has opened.
    Folders {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// List the sources of a graph.
    List {
        /// Id of the graph, or its whole name.
        graph: String,
    },
    /// Create a source. Nothing is brought in before it is refreshed.
    Create(Creation),
    /// Bring a source's content up to date.
    Refresh {
        /// The source: GRAPH/SOURCE, or its whole name.
        source: String,
    },
    /// Show a source and its refreshes.
    Show {
        /// The source: GRAPH/SOURCE, or its whole name.
        source: String,
    },
    /// End the refresh that runs.
    Cancel {
        /// The source: GRAPH/SOURCE, or its whole name.
        source: String,
    },
    /// Delete a source.
    Delete {
        /// The source: GRAPH/SOURCE, or its whole name.
        source: String,
        /// Delete from the graph, too, what it has brought in.
        #[arg(long)]
        content: bool,
    },
}

/// Create a source.
#[derive(Debug, clap::Args)]
pub(crate) struct Creation {
    /// The source: GRAPH/SOURCE, or its whole name.
    source: String,
    /// Id of a folder that the configuration has opened.
    #[arg(long, value_name = "ID")]
    folder: String,
    /// Path in the folder; all of it if not given.
    #[arg(long, default_value = "")]
    path: String,
    /// Only files that match, for example "**/*.md".
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,
    /// Not files that match.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Format; found out from names and content if not given.
    #[arg(long, value_enum)]
    format: Option<FormatArgument>,
    /// A property of pages whose values become nodes, for example "author", or "author=creator" to
    /// name their type.
    #[arg(long = "link", value_name = "PROPERTY[=TYPE]")]
    links: Vec<String>,
    /// Name for people.
    #[arg(long, default_value = "")]
    display_name: String,
}

impl SourceCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.sources();
        match self {
            Self::Folders { project } => folders(&mut client, &project, format).await,
            Self::List { graph } => list(&mut client, &full_name(&graph), format).await,
            Self::Create(creation) => create(&mut client, creation, format).await,
            Self::Refresh { source } => refresh(&mut client, source_name(&source)?, format).await,
            Self::Show { source } => show(&mut client, source_name(&source)?, format).await,
            Self::Cancel { source } => cancel(&mut client, source_name(&source)?, format).await,
            Self::Delete { source, content } => {
                let name = source_name(&source)?;
                let request = DeleteSourceRequest {
                    name: name.clone(),
                    delete_content: content,
                    ..DeleteSourceRequest::default()
                };
                client.delete_source(request).await?;
                output::deleted(&name, format);
                Ok(())
            }
        }
    }
}

/// `notes/daily` is `projects/default/graphs/notes/sources/daily`.
fn source_name(source: &str) -> Result<String> {
    if source.starts_with("projects/") {
        return Ok(source.to_owned());
    }
    match source.split_once('/') {
        Some((graph, id)) if !id.contains('/') => Ok(format!("{}/sources/{id}", full_name(graph))),
        _ => bail!("a source is named GRAPH/SOURCE, or projects/PROJECT/graphs/GRAPH/sources/SOURCE"),
    }
}

async fn folders(client: &mut SourceClient, project: &str, format: OutputFormat) -> Result<()> {
    let mut all = ListFoldersResponse::default();
    let mut page_token = String::new();
    loop {
        let parent = format!("projects/{project}");
        let page = client
            .list_folders(ListFoldersRequest { parent, page_size: 1_000, page_token })
            .await?
            .into_inner();
        all.folders.extend(page.folders);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.graph.v1.ListFoldersResponse");
    }
    let rows = all.folders.iter().map(|folder| {
        let id = folder.name.rsplit('/').next().unwrap_or_default().to_owned();
        let state = if folder.available { "can be read" } else { "cannot be read" };
        vec![id, state.to_owned(), folder.description.clone()]
    });
    output::table(&["folder", "state", "what it is"], &[], rows);
    Ok(())
}

async fn list(client: &mut SourceClient, graph: &str, format: OutputFormat) -> Result<()> {
    let mut all = ListSourcesResponse::default();
    let mut page_token = String::new();
    loop {
        let request = ListSourcesRequest { parent: graph.to_owned(), page_size: 1_000, page_token };
        let page = client.list_sources(request).await?.into_inner();
        all.sources.extend(page.sources);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.graph.v1.ListSourcesResponse");
    }
    let rows = all.sources.iter().map(|source| {
        let last = source.last_refresh.as_ref();
        vec![
            source.name.rsplit('/').next().unwrap_or_default().to_owned(),
            place(source),
            last.map(state).unwrap_or_default().to_owned(),
            output::time(last.and_then(|refresh| refresh.create_time.as_ref())),
            source.display_name.clone(),
        ]
    });
    output::table(&["source", "folder", "last refresh", "at", "title"], &[], rows);
    Ok(())
}

async fn create(client: &mut SourceClient, creation: Creation, format: OutputFormat) -> Result<()> {
    let name = source_name(&creation.source)?;
    let (parent, source_id) =
        name.split_once("/sources/").context("a source's name ends in /sources/SOURCE")?;
    let project: Vec<&str> = parent.split('/').take(2).collect();
    let source = Source {
        display_name: creation.display_name,
        location: Some(Location::Folder(FolderLocation {
            folder: format!("{}/folders/{}", project.join("/"), creation.folder),
            path: creation.path,
            include: creation.include,
            exclude: creation.exclude,
        })),
        format: creation.format.map_or(GraphFormat::Unspecified, GraphFormat::from).into(),
        property_links: creation.links.iter().map(|link| property_link(link)).collect(),
        ..Source::default()
    };
    let request = CreateSourceRequest {
        parent: parent.to_owned(),
        source_id: source_id.to_owned(),
        source: Some(source),
        request_id: new_request_id(),
    };
    let made = client.create_source(request).await?.into_inner();
    match format {
        OutputFormat::Json => output::json(&made, "weft.graph.v1.Source"),
        OutputFormat::Table => {
            output::line(&made.name);
            Ok(())
        }
    }
}

async fn refresh(client: &mut SourceClient, name: String, format: OutputFormat) -> Result<()> {
    let begun = client.refresh_source(RefreshSourceRequest { name }).await?.into_inner();
    let mut states = client.watch_refresh(WatchRefreshRequest { name: begun.name }).await?.into_inner();
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}  {msg}")?;
    let bar = ProgressBar::new(0).with_style(style);
    let mut last = None;
    while let Some(state) = states.message().await? {
        if let Some(progress) = &state.progress {
            bar.set_length(progress.found_bytes.unsigned_abs());
            bar.set_position(progress.read_bytes.unsigned_abs());
            bar.set_message(match progress.phase() {
                RefreshPhase::Scanning => format!("{} files found", number(progress.found_file_count)),
                RefreshPhase::Reading => format!(
                    "{} of {} files, {} nodes, {} edges",
                    number(progress.read_file_count),
                    number(progress.found_file_count),
                    number(progress.node_count),
                    number(progress.edge_count)
                ),
                RefreshPhase::Writing => "comparing and writing".to_owned(),
                RefreshPhase::Unspecified => "waiting".to_owned(),
            });
        }
        last = Some(state);
    }
    bar.finish_and_clear();
    let last = last.context("the refresh told nothing")?;
    match last.state() {
        RefreshState::Succeeded => {}
        RefreshState::Failed => return Err(status_of(last.error.unwrap_or_default()).into()),
        RefreshState::Cancelled => return Err(Status::aborted("somebody ended the refresh").into()),
        _ => return Err(Status::unavailable("its process ended; refresh again").into()),
    }
    if format == OutputFormat::Json {
        return output::json(&last, "weft.graph.v1.Refresh");
    }
    print_result(&last.result.unwrap_or_default());
    Ok(())
}

/// What a refresh failed with, as if a call had failed with it.
fn status_of(status: rpc::Status) -> Status {
    let details = prost_reflect::prost::Message::encode_to_vec(&status);
    Status::with_details(Code::from(status.code), status.message, details.into())
}

async fn show(client: &mut SourceClient, name: String, format: OutputFormat) -> Result<()> {
    let source = client.get_source(GetSourceRequest { name: name.clone() }).await?.into_inner();
    if format == OutputFormat::Json {
        return output::json(&source, "weft.graph.v1.Source");
    }
    let request = ListRefreshesRequest { parent: name, page_size: 20, page_token: String::new() };
    let ListRefreshesResponse { refreshes, .. } = client.list_refreshes(request).await?.into_inner();
    let links: Vec<&str> = source.property_links.iter().map(|link| link.property.as_str()).collect();
    let fields = [
        ("name", source.name.clone()),
        ("title", source.display_name.clone()),
        ("folder", place(&source)),
        ("links", links.join(", ")),
        ("created", output::time(source.create_time.as_ref())),
    ];
    for (field, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        output::line(&format!("{field:<12}{value}"));
    }
    output::line("");
    let rows = refreshes.iter().map(|refresh| {
        let result = refresh.result.clone().unwrap_or_default();
        let changes = format!(
            "+{} ~{} -{}",
            number(result.created_node_count + result.created_edge_count),
            number(result.updated_node_count + result.updated_edge_count),
            number(result.deleted_node_count + result.deleted_edge_count)
        );
        let error = refresh.error.as_ref().map(|error| error.message.clone());
        vec![
            refresh.name.rsplit('/').next().unwrap_or_default().to_owned(),
            state(refresh).to_owned(),
            output::time(refresh.create_time.as_ref()),
            refresh.actor.clone(),
            error.unwrap_or(if refresh.result.is_some() { changes } else { String::new() }),
        ]
    });
    output::table(&["refresh", "state", "begun", "by", "outcome"], &[0], rows);
    Ok(())
}

async fn cancel(client: &mut SourceClient, name: String, format: OutputFormat) -> Result<()> {
    let source = client.get_source(GetSourceRequest { name }).await?.into_inner();
    let running = source.last_refresh.filter(|refresh| refresh.state() == RefreshState::Running);
    let Some(running) = running else { return Err(Status::failed_precondition("no refresh runs").into()) };
    let asked = client.cancel_refresh(CancelRefreshRequest { name: running.name }).await?.into_inner();
    match format {
        OutputFormat::Json => output::json(&asked, "weft.graph.v1.Refresh"),
        OutputFormat::Table => {
            output::line(&format!("{} will end", asked.name));
            Ok(())
        }
    }
}

fn place(source: &Source) -> String {
    match &source.location {
        Some(Location::Folder(location)) => {
            let folder = location.folder.rsplit('/').next().unwrap_or_default();
            if location.path.is_empty() { folder.to_owned() } else { format!("{folder}/{}", location.path) }
        }
        None => String::new(),
    }
}

fn state(refresh: &Refresh) -> &'static str {
    match refresh.state() {
        RefreshState::Unspecified => "",
        RefreshState::Running => "running",
        RefreshState::Succeeded => "succeeded",
        RefreshState::Failed => "failed",
        RefreshState::Cancelled => "cancelled",
        RefreshState::Interrupted => "interrupted",
    }
}

#[cfg(test)]
mod tests {
    use super::source_name;

    #[test]
    fn sources_have_short_names() {
        let whole = "projects/p/graphs/g/sources/s";
        assert_eq!(source_name(whole).expect("it is whole"), whole);
        assert_eq!(source_name("g/s").expect("it is short"), "projects/default/graphs/g/sources/s");
        assert!(source_name("g").is_err());
        assert!(source_name("a/b/c").is_err());
    }
}
