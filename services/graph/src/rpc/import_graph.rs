//! ImportGraph: files become one revision, or nothing.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use weft_kit::{Call, Caller, Messages};
use weft_proto::weft::graph::v1::{
    GraphFormat, ImportBegin, ImportGraphRequest, ImportGraphResponse, ImportMode, ImportProgress,
    ImportResult, import_graph_request::Piece, import_graph_response::Event,
};

use super::{Answers, once, reused};
use crate::{
    Error,
    domain::change::{Plan, Scope, plan_import},
    formats::{ReadOptions, Reader},
    intake::{Found, read_limits},
    live::{Content, Expectation, Write, blocking, decode_answer},
    state::State,
};

/// Progress is told so often.
const PROGRESS_TIME: Duration = Duration::from_millis(250);
const PROGRESS_BYTES: u64 = 1 << 20;

/// Pieces of data are read together until there are so many bytes: a trip to another thread for each
/// would cost more than the reading.
const READ_TOGETHER: usize = 256 << 10;

type Call_ = Call<Messages<ImportGraphRequest>>;

/// Starts the import. Its errors come in the stream of answers.
pub(crate) fn handle(state: &Arc<State>, call: Call_) -> Answers<ImportGraphResponse> {
    let (send, receive) = mpsc::channel(16);
    let state = Arc::clone(state);
    let life = state.graphs.life.clone();
    life.spawn_future(async move {
        let caller_gone = send.clone();
        let result = tokio::select! {
            result = import(&state, call, &send) => result.map(|result| ImportGraphResponse {
                event: Some(Event::Result(result)),
            }),
            // Nobody waits for the answer any more.
            () = caller_gone.closed() => return,
        };
        // The client may have gone just now.
        let _ = send.send(result.map_err(Status::from)).await;
    });
    ReceiverStream::new(receive).boxed()
}

type Progress = mpsc::Sender<Result<ImportGraphResponse, Status>>;

async fn import(state: &Arc<State>, call: Call_, progress: &Progress) -> Result<ImportResult, Error> {
    let Call { caller, message: mut messages, .. } = call;
    let idle = state.graphs.options.transfer_idle;
    let first = next(&mut messages, idle).await?.and_then(|message| message.piece);
    let Some(Piece::Begin(begin)) = first else {
        return Err(Error::ImportOrder("the first message must be begin"));
    };
    // Refused before anything is sent: a graph that is not there.
    let live = state.graphs.get(&begin.graph).await?;
    let _turn = Arc::clone(&state.imports).acquire_owned().await.map_err(|_| Error::TaskEnded)?;
    let options = &state.graphs.options;
    let reader = Reader::new(ReadOptions {
        format: Some(begin.format()).filter(|format| *format != GraphFormat::Unspecified),
        default_node_type: begin.default_node_type.clone(),
        default_edge_type: begin.default_edge_type.clone(),
        property_links: begin.property_links.clone(),
        limits: read_limits(options),
    });
    let scope = if begin.mode() == ImportMode::Replace { Scope::Replace } else { Scope::Merge };
    let read = Read {
        reader,
        found: Found::new(options, scope, &begin.default_node_type),
        digest: (!begin.request_id.is_empty()).then(|| digest_of(&begin)),
        data_bytes: 0,
    };
    let intake = Intake {
        read: Some(read),
        pieces: Vec::new(),
        waiting: 0,
        told: Told::default(),
        idle,
        most: options.max_import_bytes,
        progress,
    };
    let (found, digest) = intake.run(messages).await?;
    write(state, &live, &caller, &begin, found, digest).await
}

/// The next message; a client that is silent for too long is given up.
async fn next(
    messages: &mut Messages<ImportGraphRequest>,
    idle: Duration,
) -> Result<Option<ImportGraphRequest>, Error> {
    let message = tokio::time::timeout(idle, messages.next()).await.map_err(|_| Error::ImportStalled)?;
    Ok(message.transpose()?)
}

/// Takes the client's messages in.
struct Intake<'p> {
    /// Not there while a thread for blocking work has it.
    read: Option<Read>,
    pieces: Vec<Piece>,
    /// Bytes in `pieces`.
    waiting: usize,
    told: Told,
    idle: Duration,
    most: u64,
    progress: &'p Progress,
}

/// What was told about the progress.
#[derive(Default)]
struct Told {
    received_bytes: u64,
    files: i32,
    at: Option<Instant>,
    bytes: u64,
}

impl Intake<'_> {
    async fn run(
        mut self,
        mut messages: Messages<ImportGraphRequest>,
    ) -> Result<(Found, Option<Sha256>), Error> {
        while let Some(message) = next(&mut messages, self.idle).await? {
            match message.piece {
                None | Some(Piece::Begin(_)) => {
                    return Err(Error::ImportOrder("begin comes only once; then come file and data"));
                }
                Some(piece) => self.take(piece)?,
            }
            if self.waiting >= READ_TOGETHER {
                self.read().await?;
            }
            self.tell();
        }
        self.read().await?;
        let read = self.read.take().ok_or(Error::TaskEnded)?;
        blocking(move || read.finish()).await?
    }

    fn take(&mut self, piece: Piece) -> Result<(), Error> {
        if let Piece::Data(data) = &piece {
            self.waiting += data.len();
            self.told.received_bytes += data.len() as u64;
            if self.told.received_bytes > self.most {
                return Err(Error::Quota {
                    reason: "IMPORT_TOO_LARGE",
                    subject: "import".into(),
                    description: format!("an import has at most {} bytes", self.most),
                    passes: false,
                });
            }
        } else {
            // Small files, too, are read together.
            self.waiting += 1 << 10;
            self.told.files += 1;
        }
        self.pieces.push(piece);
        Ok(())
    }

    /// Reads what has come.
    async fn read(&mut self) -> Result<(), Error> {
        let mut read = self.read.take().ok_or(Error::TaskEnded)?;
        let pieces = std::mem::take(&mut self.pieces);
        self.waiting = 0;
        let read = blocking(move || {
            for piece in pieces {
                read.piece(piece)?;
            }
            Ok::<_, Error>(read)
        });
        self.read = Some(read.await??);
        Ok(())
    }

    fn tell(&mut self) {
        let now = Instant::now();
        let told = &mut self.told;
        let due = told.received_bytes - told.bytes >= PROGRESS_BYTES
            || told.at.is_none_or(|at| now.duration_since(at) >= PROGRESS_TIME);
        let Some(read) = self.read.as_ref().filter(|_| due) else { return };
        (told.at, told.bytes) = (Some(now), told.received_bytes);
        let progress = ImportProgress {
            received_bytes: told.received_bytes as i64,
            file_count: (told.files - 1).max(0),
            node_count: read.found.import.nodes.len() as i64,
            edge_count: read.found.import.edges.len() as i64,
        };
        let event = Some(Event::Progress(progress));
        // A client that does not read its progress slows nothing down: what is newer comes later.
        let _ = self.progress.try_send(Ok(ImportGraphResponse { event }));
    }
}

/// The reader, and what it has found so far.
struct Read {
    reader: Reader,
    found: Found,
    /// Of everything that has come, if the request may be repeated.
    digest: Option<Sha256>,
    /// How much data has come: tells in the digest where a file begins.
    data_bytes: u64,
}

impl Read {
    fn piece(&mut self, piece: Piece) -> Result<(), Error> {
        match piece {
            Piece::Begin(_) => {}
            Piece::File(file) => {
                if let Some(digest) = &mut self.digest {
                    digest.update(self.data_bytes.to_le_bytes());
                    digest.update((file.path.len() as u64).to_le_bytes());
                    digest.update(&file.path);
                }
                let size = u64::try_from(file.size_bytes).ok().filter(|size| *size > 0);
                self.reader.begin_file(&file.path, size, &mut self.found)?;
            }
            Piece::Data(data) => {
                self.data_bytes += data.len() as u64;
                if let Some(digest) = &mut self.digest {
                    // Not where it is cut: a repeat may cut elsewhere.
                    digest.update(&data);
                }
                self.reader.data(&data, &mut self.found)?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(Found, Option<Sha256>), Error> {
        self.reader.finish(&mut self.found)?;
        Ok((self.found, self.digest))
    }
}

fn digest_of(begin: &ImportBegin) -> Sha256 {
    let mut begin = begin.clone();
    begin.request_id.clear();
    Sha256::new_with_prefix(prost::Message::encode_to_vec(&begin))
}

async fn write(
    state: &Arc<State>,
    live: &Arc<crate::live::Live>,
    caller: &Caller,
    begin: &ImportBegin,
    found: Found,
    digest: Option<Sha256>,
) -> Result<ImportResult, Error> {
    let fingerprint = digest.map(|digest| digest.finalize().into());
    let once = fingerprint.and_then(|digest| once(caller, "ImportGraph", &begin.request_id, digest));
    if let Some(once) = &once
        && let Some(answer) = state.graphs.store.recall(once).await.map_err(reused)?
    {
        return decode_answer(&answer);
    }
    let Found { limits, import, warnings } = found;
    let size = import.size();
    let mut import = Some(import);
    let write = Write {
        expected: begin.expected_revision.map_or(Expectation::Newest, Expectation::Revision),
        once,
        actor: caller.name.to_string(),
        size,
        plan: move |content: &Content| {
            // A copy of everything, for the case that another process is faster, would double the memory
            // of every import; the client sends it again.
            let import = import.take().ok_or(Error::RevisionMismatch { current: content.revision() })?;
            Ok(plan_import(&content.memory, import, &limits, content.graph_bytes())?)
        },
        answer: move |plan: &Plan| warnings.result(plan),
        skip_empty: false,
        validate_only: false,
    };
    state.graphs.write(live, write).await
}
