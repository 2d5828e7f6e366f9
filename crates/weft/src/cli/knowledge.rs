//! `weft agents knowledge`: notes, documents and tables on the host of an agent.

use anyhow::Result;
use weft_proto::weft::agent::v1::{
    GetKnowledgeFileRequest, GetKnowledgeStatisticsRequest, KnowledgeFile, KnowledgeFileKind,
    KnowledgeStatistics, ListKnowledgeFilesRequest, ListKnowledgeFilesResponse, ReadKnowledgeFileRequest,
    ReadKnowledgeFileResponse,
};

use super::{output, output::OutputFormat};
use crate::client::HostClient;

/// Notes, documents and tables on an agent's host.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KnowledgeCommand {
    /// List the knowledge files of an agent's host.
    List(ListArguments),
    /// Show one file, with its links.
    Get {
        /// Name of the file, `projects/{project}/agents/{agent}/knowledgeFiles/{knowledge_file}`.
        name: String,
    },
    /// Write the text of a file, where its owner shows that.
    Read {
        /// Name of the file.
        name: String,
    },
    /// Count the files by kind, tag and folder.
    Stats {
        /// Name of the agent, `projects/{project}/agents/{agent}`.
        agent: String,
    },
}

/// Which files to show.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    /// Name of the agent, `projects/{project}/agents/{agent}`.
    agent: String,
    /// Only those with all of these words in their titles, tags, creators or paths; the best first.
    #[arg(long, default_value = "")]
    search: String,
    /// Only those that match, for example `kind = markdown AND tags:energy`.
    #[arg(long, default_value = "")]
    filter: String,
    /// For example `update_time desc`; by folder and path if not given.
    #[arg(long, default_value = "")]
    order_by: String,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
}

impl KnowledgeCommand {
    pub(crate) async fn run(self, client: &mut HostClient, format: OutputFormat) -> Result<()> {
        match self {
            Self::List(arguments) => list(client, arguments, format).await,
            Self::Get { name } => {
                let file = client.get_knowledge_file(GetKnowledgeFileRequest { name }).await?.into_inner();
                show(&file, format)
            }
            Self::Read { name } => read(client, name, format).await,
            Self::Stats { agent } => {
                let request = GetKnowledgeStatisticsRequest { parent: agent };
                let statistics = client.get_knowledge_statistics(request).await?.into_inner();
                stats(&statistics, format)
            }
        }
    }
}

async fn list(client: &mut HostClient, arguments: ListArguments, format: OutputFormat) -> Result<()> {
    let mut request = ListKnowledgeFilesRequest {
        parent: arguments.agent,
        filter: arguments.filter,
        order_by: arguments.order_by,
        search: arguments.search,
        ..ListKnowledgeFilesRequest::default()
    };
    let limit = usize::try_from(arguments.limit)?;
    let mut all = ListKnowledgeFilesResponse::default();
    loop {
        request.page_size = i32::try_from(limit - all.knowledge_files.len())?;
        let page = client.list_knowledge_files(request.clone()).await?.into_inner();
        let before = std::mem::take(&mut all.knowledge_files);
        all = page;
        all.knowledge_files.splice(0..0, before);
        if all.next_page_token.is_empty() || all.knowledge_files.len() >= limit {
            break;
        }
        request.page_token.clone_from(&all.next_page_token);
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.agent.v1.ListKnowledgeFilesResponse");
    }
    output::table(
        &["folder", "path", "kind", "title", "tags", "bytes", "written", "problem", "id"],
        &[5],
        all.knowledge_files.iter().map(row),
    );
    let (shown, there) = (all.knowledge_files.len(), all.match_count);
    if i32::try_from(shown)? < there {
        output::line(&format!("{shown} of {there}"));
    }
    if all.scanning {
        output::line("the agent is still looking: there may be more");
    }
    Ok(())
}

fn row(file: &KnowledgeFile) -> Vec<String> {
    vec![
        file.folder.clone(),
        file.path.clone(),
        kind(file.kind()).to_owned(),
        file.title.clone(),
        file.tags.join(", "),
        output::number(file.size_bytes),
        output::time(file.update_time.as_ref()),
        file.problem.clone(),
        file.name.rsplit('/').next().unwrap_or_default().to_owned(),
    ]
}

fn show(file: &KnowledgeFile, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(file, "weft.agent.v1.KnowledgeFile");
    }
    let confidence = file.confidence_ratio.map(|ratio| ratio.to_string()).unwrap_or_default();
    let rows = [
        ("name", file.name.clone()),
        ("folder", file.folder.clone()),
        ("path", file.path.clone()),
        ("kind", kind(file.kind()).to_owned()),
        ("title", file.title.clone()),
        ("tags", file.tags.join(", ")),
        ("creators", file.creators.join(", ")),
        ("confidence", confidence),
        ("links", file.links.join(", ")),
        ("bytes", output::number(file.size_bytes)),
        ("sha256", file.digest.clone()),
        ("created", output::time(file.create_time.as_ref())),
        ("written", output::time(file.update_time.as_ref())),
        ("problem", file.problem.clone()),
    ];
    let told = rows.into_iter().filter(|(_, value)| !value.is_empty());
    output::table(&["field", "value"], &[], told.map(|(name, value)| vec![name.to_owned(), value]));
    Ok(())
}

/// Piece by piece; what is written over meanwhile is not mixed with what was there.
async fn read(client: &mut HostClient, name: String, format: OutputFormat) -> Result<()> {
    let mut all = ReadKnowledgeFileResponse::default();
    loop {
        let request = ReadKnowledgeFileRequest {
            name: name.clone(),
            offset_bytes: all.next_offset_bytes,
            max_bytes: i32::MAX,
        };
        let piece = client.read_knowledge_file(request).await?.into_inner();
        let is_same = all.text.is_empty() || piece.update_time == all.update_time;
        anyhow::ensure!(is_same, "the file was written while it was read; try again");
        let mut text = std::mem::take(&mut all.text);
        text.push_str(&piece.text);
        all = ReadKnowledgeFileResponse { text, ..piece };
        if all.next_offset_bytes == 0 {
            break;
        }
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.agent.v1.ReadKnowledgeFileResponse");
    }
    output::line(all.text.strip_suffix('\n').unwrap_or(&all.text));
    Ok(())
}

fn stats(statistics: &KnowledgeStatistics, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(statistics, "weft.agent.v1.KnowledgeStatistics");
    }
    output::table(
        &["folder", "files", "bytes", "problems", "problem"],
        &[1, 2, 3],
        statistics.folders.iter().map(|folder| {
            vec![
                folder.folder.clone(),
                output::number(folder.file_count),
                output::number(folder.size_bytes),
                output::number(folder.problem_count),
                folder.problem.clone(),
            ]
        }),
    );
    for (what, counts) in
        [("kind", &statistics.kinds), ("tag", &statistics.tags), ("creator", &statistics.creators)]
    {
        let mut counts: Vec<_> = counts.iter().collect();
        counts.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
        if !counts.is_empty() {
            output::line("");
            let rows = counts.into_iter().map(|(name, count)| vec![name.clone(), output::number(*count)]);
            output::table(&[what, "files"], &[1], rows);
        }
    }
    Ok(())
}

fn kind(kind: KnowledgeFileKind) -> &'static str {
    match kind {
        KnowledgeFileKind::Unspecified => "",
        KnowledgeFileKind::Markdown => "markdown",
        KnowledgeFileKind::Text => "text",
        KnowledgeFileKind::Html => "html",
        KnowledgeFileKind::Pdf => "pdf",
        KnowledgeFileKind::Document => "document",
        KnowledgeFileKind::Table => "table",
        KnowledgeFileKind::Data => "data",
        KnowledgeFileKind::Notebook => "notebook",
        KnowledgeFileKind::Other => "other",
    }
}
