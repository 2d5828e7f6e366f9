//! Sending and fetching the bytes of objects, piece by piece.

use std::path::PathBuf;

use anyhow::{Context, Result};
use futures::{Stream, StreamExt, stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use weft_proto::weft::execution::v1::{
    DownloadObjectRequest, Object, UploadBegin, UploadObjectRequest, upload_object_request::Piece,
};

use super::ObjectClient;

/// Bytes in one message.
const PIECE: usize = 256 * 1024;

/// Sends a file (standard input where there is none), and tells how many bytes have gone.
pub(crate) async fn send(
    client: &mut ObjectClient,
    begin: UploadBegin,
    file: Option<PathBuf>,
    progress: impl Fn(u64) + Send + 'static,
) -> Result<Object> {
    // A file that cannot be read ends the stream; what the mesh says of half of it is not what is wrong.
    let (fault, mut faults) = tokio::sync::mpsc::unbounded_channel::<anyhow::Error>();
    let reader: Box<dyn AsyncRead + Send + Unpin> = match &file {
        Some(path) => {
            Box::new(tokio::fs::File::open(path).await.with_context(|| path.display().to_string())?)
        }
        None => Box::new(tokio::io::stdin()),
    };
    let data = pieces(reader, fault, progress);
    let begin = UploadObjectRequest { piece: Some(Piece::Begin(begin)) };
    let requests = stream::once(std::future::ready(begin)).chain(data);
    tokio::select! {
        biased;
        Some(fault) = faults.recv() => Err(fault),
        written = client.upload_object(requests) => Ok(written?.into_inner()),
    }
}

fn pieces(
    reader: Box<dyn AsyncRead + Send + Unpin>,
    fault: tokio::sync::mpsc::UnboundedSender<anyhow::Error>,
    progress: impl Fn(u64) + Send + 'static,
) -> impl Stream<Item = UploadObjectRequest> + Send {
    stream::unfold((reader, fault, progress), |(mut reader, fault, progress)| async move {
        let mut buffer = Vec::with_capacity(PIECE);
        match (&mut reader).take(PIECE as u64).read_to_end(&mut buffer).await {
            Ok(0) => None,
            Ok(length) => {
                progress(length as u64);
                let request = UploadObjectRequest { piece: Some(Piece::Data(buffer.into())) };
                Some((request, (reader, fault, progress)))
            }
            Err(error) => {
                let _ = fault.send(anyhow::Error::new(error).context("the file cannot be read"));
                // The stream must not end well: the mesh would take what has come for all of it.
                std::future::pending().await
            }
        }
    })
}

/// Fetches the bytes of an object, from an offset on, and tells how many have come.
pub(crate) async fn fetch(
    client: &mut ObjectClient,
    request: DownloadObjectRequest,
    mut into: impl AsyncWrite + Unpin,
    progress: impl Fn(u64),
) -> Result<()> {
    let mut bytes = client.download_object(request).await?.into_inner();
    while let Some(piece) = bytes.message().await? {
        into.write_all(&piece.data).await?;
        progress(piece.data.len() as u64);
    }
    into.flush().await?;
    Ok(())
}
