//! `weft objects`: files of a project that its workflows work with.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use weft_proto::weft::execution::v1::{
    DeleteObjectRequest, DownloadObjectRequest, GetObjectRequest, ListObjectsRequest, ListObjectsResponse,
    Object, UploadBegin,
};

use super::output::{self, OutputFormat};
use crate::client::{Connection, fetch, send};

const OBJECT: &str = "weft.execution.v1.Object";

/// Files of a project.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ObjectsCommand {
    /// Write an object: it is created, or has other bytes from now on.
    Put(Put),
    /// Fetch the bytes of an object.
    Get(Fetch),
    /// Show what is said of an object, without its bytes.
    Describe {
        /// Name of the object, `projects/{project}/objects/{object}`, or its id in the project `default`.
        name: String,
    },
    /// List the objects of a project.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
        /// Only those whose ids begin so.
        #[arg(long, default_value = "")]
        prefix: String,
    },
    /// Delete an object and its bytes.
    Delete {
        /// Name of the object.
        name: String,
        /// Only if its etag is this.
        #[arg(long, default_value = "")]
        etag: String,
    },
}

/// `weft objects put`
#[derive(Debug, clap::Args)]
pub(crate) struct Put {
    /// Name of the object, `projects/{project}/objects/{object}`, or its id in the project `default`.
    name: String,
    /// The file; `-` is standard input.
    file: PathBuf,
    /// What its bytes are; told by the file's name where it is not given.
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Only if its etag is this.
    #[arg(long, default_value = "", conflicts_with = "if_absent")]
    etag: String,
    /// Only if there is none of that name.
    #[arg(long)]
    if_absent: bool,
}

/// `weft objects get`
#[derive(Debug, clap::Args)]
pub(crate) struct Fetch {
    /// Name of the object.
    name: String,
    /// Where the bytes go; standard output where it is not given. The file is there once all bytes are.
    #[arg(long, short = 'f', value_name = "FILE")]
    file: Option<PathBuf>,
    /// The first byte, counted from 0.
    #[arg(long, default_value_t = 0)]
    offset: i64,
}

impl ObjectsCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.objects();
        match self {
            Self::Put(put) => return put.run(connection, format).await,
            Self::Get(fetch) => return fetch.run(connection, format).await,
            Self::Describe { name } => {
                let request = GetObjectRequest { name: whole(&name) };
                show(&client.get_object(request).await?.into_inner(), format)?;
            }
            Self::List { project, prefix } => {
                let mut all = ListObjectsResponse::default();
                let mut page_token = String::new();
                loop {
                    let request = ListObjectsRequest {
                        parent: format!("projects/{project}"),
                        page_size: 1_000,
                        page_token,
                        prefix: prefix.clone(),
                    };
                    let page = client.list_objects(request).await?.into_inner();
                    all.objects.extend(page.objects);
                    page_token = page.next_page_token;
                    if page_token.is_empty() {
                        break;
                    }
                }
                if format == OutputFormat::Json {
                    return output::json(&all, "weft.execution.v1.ListObjectsResponse");
                }
                let rows = all.objects.iter().map(|object| {
                    vec![
                        object.name.clone(),
                        output::number(object.size_bytes),
                        object.content_type.clone(),
                        output::time(object.update_time.as_ref()),
                    ]
                });
                output::table(&["name", "bytes", "type", "written"], &[1], rows);
            }
            Self::Delete { name, etag } => {
                let name = whole(&name);
                client.delete_object(DeleteObjectRequest { name: name.clone(), etag }).await?;
                output::deleted(&name, format);
            }
        }
        Ok(())
    }
}

impl Put {
    async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let file = (self.file.as_os_str() != "-").then_some(self.file);
        let size = match &file {
            Some(path) => {
                let metadata = std::fs::metadata(path).with_context(|| path.display().to_string())?;
                if metadata.is_dir() {
                    bail!("{} is a folder", path.display());
                }
                Some(metadata.len())
            }
            None => None,
        };
        let told = file.as_deref().and_then(type_of).unwrap_or_default();
        let begin = UploadBegin {
            name: whole(&self.name),
            content_type: self.content_type.unwrap_or_else(|| told.to_owned()),
            etag: self.etag,
            if_absent: self.if_absent,
            sha256: String::new(),
        };
        let bar = progress(size);
        let bytes = bar.clone();
        let written = send(&mut connection.objects(), begin, file, move |more| bytes.inc(more)).await;
        bar.finish_and_clear();
        show(&written?, format)
    }
}

impl Fetch {
    async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.objects();
        let name = whole(&self.name);
        let object = client.get_object(GetObjectRequest { name: name.clone() }).await?.into_inner();
        // Of these bytes, and not of others that somebody writes meanwhile.
        let request = DownloadObjectRequest { name, offset: self.offset, etag: object.etag.clone() };
        let left = u64::try_from(object.size_bytes.saturating_sub(self.offset)).unwrap_or_default();
        let Some(file) = self.file else {
            return fetch(&mut client, request, tokio::io::stdout(), |_| {}).await;
        };
        let bar = progress(Some(left));
        let unfinished = file.with_file_name(format!(
            ".{}.part",
            file.file_name().context("FILE is no file")?.to_string_lossy()
        ));
        let fetched = async {
            let into = tokio::fs::File::create(&unfinished).await;
            let into = into.with_context(|| unfinished.display().to_string())?;
            fetch(&mut client, request, into, |more| bar.inc(more)).await?;
            std::fs::rename(&unfinished, &file).with_context(|| file.display().to_string())
        };
        let fetched = fetched.await;
        bar.finish_and_clear();
        if fetched.is_err() {
            let _ = std::fs::remove_file(&unfinished);
        }
        fetched?;
        show(&object, format)
    }
}

/// A bar on a terminal, and nothing elsewhere.
fn progress(size: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let Some(size) = size else { return ProgressBar::new_spinner() };
    let style = ProgressStyle::with_template("{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}");
    ProgressBar::new(size).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The type of a file, by the end of its name.
fn type_of(file: &Path) -> Option<&'static str> {
    Some(match file.extension()?.to_str()? {
        "csv" => "text/csv",
        "html" => "text/html",
        "json" => "application/json",
        "md" => "text/markdown",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "txt" | "wat" => "text/plain",
        "wasm" => "application/wasm",
        "xml" => "application/xml",
        _ => return None,
    })
}

/// A name, made whole where it is a last part.
fn whole(name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("projects/default/objects/{name}") }
}

fn show(object: &Object, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(object, OBJECT);
    }
    let rows = [
        ("name", object.name.clone()),
        ("type", object.content_type.clone()),
        ("bytes", output::number(object.size_bytes)),
        ("sha256", object.sha256.clone()),
        ("written", format!("{} by {}", output::time(object.update_time.as_ref()), object.writer)),
        ("etag", object.etag.clone()),
    ];
    output::table(&["object", ""], &[], rows.map(|(what, value)| vec![what.to_owned(), value]));
    Ok(())
}
