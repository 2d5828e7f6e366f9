//! Sending files to be imported, in pieces.

use std::{path::PathBuf, pin::Pin};

use anyhow::{Context, Result, bail};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tokio::io::{AsyncRead, AsyncReadExt};
use weft_proto::weft::graph::v1::{
    ImportBegin, ImportFile, ImportGraphRequest, ImportProgress, ImportResult, import_graph_request::Piece,
    import_graph_response::Event,
};

use super::GraphClient;

/// Bytes in one message of an import.
const PIECE: usize = 256 * 1024;

type Reader = Pin<Box<dyn AsyncRead + Send>>;

/// A file to be imported.
pub(crate) struct Upload {
    /// Path as the mesh is told it.
    pub(crate) path: String,
    /// Size in bytes; 0 if not known.
    pub(crate) size: u64,
    source: Source,
}

enum Source {
    Memory(&'static [u8]),
    File(PathBuf),
    Input,
}

impl Upload {
    pub(crate) fn from_memory(path: &str, bytes: &'static [u8]) -> Self {
        Self { path: path.to_owned(), size: bytes.len() as u64, source: Source::Memory(bytes) }
    }

    pub(crate) fn from_file(path: String, file: PathBuf, size: u64) -> Self {
        Self { path, size, source: Source::File(file) }
    }

    pub(crate) fn from_input(path: String) -> Self {
        Self { path, size: 0, source: Source::Input }
    }

    /// The messages that carry this file.
    fn pieces(self) -> impl Stream<Item = Result<Piece>> {
        let begin = Piece::File(ImportFile { path: self.path, size_bytes: self.size as i64 });
        let opened = async move {
            let reader: Reader = match self.source {
                Source::Memory(bytes) => Box::pin(bytes),
                Source::File(path) => {
                    Box::pin(tokio::fs::File::open(&path).await.with_context(|| path.display().to_string())?)
                }
                Source::Input => Box::pin(tokio::io::stdin()),
            };
            Ok::<_, anyhow::Error>(stream::try_unfold(reader, next_piece))
        };
        stream::once(async { Ok(begin) }).chain(stream::once(opened).try_flatten())
    }
}

async fn next_piece(mut reader: Reader) -> Result<Option<(Piece, Reader)>> {
    let mut buffer = Vec::with_capacity(PIECE);
    (&mut reader).take(PIECE as u64).read_to_end(&mut buffer).await?;
    Ok(if buffer.is_empty() { None } else { Some((Piece::Data(buffer.into()), reader)) })
}

/// Sends files and waits for the result; `progress` is told how far it is.
pub(crate) async fn import(
    client: &mut GraphClient,
    begin: ImportBegin,
    files: Vec<Upload>,
    mut progress: impl FnMut(&ImportProgress),
) -> Result<ImportResult> {
    // A file that cannot be read ends the stream, and with it the import: the mesh applies nothing.
    let (fault, mut faults) = tokio::sync::mpsc::unbounded_channel();
    let pieces =
        stream::once(async { Ok(Piece::Begin(begin)) }).chain(stream::iter(files).flat_map(Upload::pieces));
    let requests = pieces
        .scan(fault, |fault, piece| {
            let next = match piece {
                Ok(piece) => Some(ImportGraphRequest { piece: Some(piece) }),
                Err(error) => {
                    // Nobody listens only once the call is over anyway.
                    let _ = fault.send(error);
                    None
                }
            };
            std::future::ready(next)
        })
        .boxed();
    let result = receive(client, requests, &mut faults, &mut progress);
    result.await
}

async fn receive(
    client: &mut GraphClient,
    requests: Pin<Box<dyn Stream<Item = ImportGraphRequest> + Send>>,
    faults: &mut tokio::sync::mpsc::UnboundedReceiver<anyhow::Error>,
    progress: &mut impl FnMut(&ImportProgress),
) -> Result<ImportResult> {
    let mut responses = client.import_graph(requests).await?.into_inner();
    loop {
        let response = tokio::select! {
            biased;
            Some(fault) = faults.recv() => return Err(fault),
            response = responses.message() => response?,
        };
        match response.and_then(|response| response.event) {
            Some(Event::Progress(so_far)) => progress(&so_far),
            Some(Event::Result(result)) => return Ok(result),
            None => bail!("the mesh ended the import without a result"),
        }
    }
}
