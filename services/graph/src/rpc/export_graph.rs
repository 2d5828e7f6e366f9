//! ExportGraph: the graph, or the part that a filter matches, as a file.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use tokio::{runtime::Handle, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use weft_kit::Call;
use weft_proto::{
    google::api::HttpBody,
    weft::graph::v1::{ExportGraphRequest, Graph},
};

use super::Answers;
use crate::{
    Error,
    domain::{
        filter::{Filter, NODE, NodeRecord},
        memory::Table,
    },
    formats::Writer,
    live::{Content, blocking, graph_message},
    state::State,
};

/// Chunks that wait for a slow client.
const CHUNKS: usize = 4;

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<ExportGraphRequest>,
) -> Result<Answers<HttpBody>, Error> {
    let request = call.message;
    let filter = Filter::parse(&request.filter, &NODE)?;
    let writer = Writer::new(request.format(), request.gzip)?;
    let options = &state.graphs.options;
    let turn = Arc::clone(&state.exports).try_acquire_owned().map_err(|_| Error::Quota {
        reason: "TOO_MANY_EXPORTS",
        subject: "process".into(),
        description: format!("at most {} exports run at once", options.max_exports),
        passes: true,
    })?;
    let live = state.graphs.get(&request.graph).await?;
    let export = live.read_long(move |content| Export::of(content, &filter)).await?;
    let (send, receive) = mpsc::channel(CHUNKS);
    let client = Client { chunks: send.clone(), idle: options.transfer_idle, runtime: Handle::current() };
    state.graphs.life.spawn_future(async move {
        let _turn = turn;
        let result = blocking(move || export.write(writer, &client)).await;
        if let Err(error) = result.and_then(|result| result) {
            // The client may have gone, or have stopped to read.
            let _ = send.try_send(Err(Status::from(error)));
        }
    });
    Ok(ReceiverStream::new(receive).boxed())
}

/// Where the file goes.
struct Client {
    chunks: mpsc::Sender<Result<HttpBody, Status>>,
    /// How long it may take to take a chunk.
    idle: Duration,
    runtime: Handle,
}

impl Client {
    /// Sends what the writer has; `false` if the client has gone or does not read.
    fn take(&self, writer: &mut Writer) -> bool {
        let content_type = writer.content_type();
        writer.drain().into_iter().all(|data| {
            let body = HttpBody { content_type: content_type.to_owned(), data, extensions: Vec::new() };
            // Called on a thread for blocking work, where waiting is allowed.
            self.runtime.block_on(self.chunks.send_timeout(Ok(body), self.idle)).is_ok()
        })
    }
}

/// A snapshot, and which of its nodes are taken.
struct Export {
    graph: Graph,
    table: Table,
    /// By ordinal; everything when `None`.
    taken: Option<Vec<bool>>,
}

impl Export {
    fn of(content: &Content, filter: &Filter) -> Self {
        let memory = &content.memory;
        let table = memory.table().clone();
        let taken = (!filter.is_empty()).then(|| {
            let mut taken = vec![false; table.next_ordinal() as usize];
            for node in memory.table().nodes() {
                taken[node.ordinal() as usize] = filter.matches(&NodeRecord { node, memory });
            }
            taken
        });
        Self { graph: graph_message(&content.row), table, taken }
    }

    fn takes(&self, ordinal: u32) -> bool {
        self.taken.as_ref().is_none_or(|taken| taken[ordinal as usize])
    }

    /// Writes the file. Ends early if the client has gone.
    fn write(&self, mut writer: Writer, client: &Client) -> Result<(), Error> {
        // Some formats say first which properties there are.
        for node in self.nodes() {
            writer.observe_node(&node.to_message());
        }
        for edge in self.edges() {
            writer.observe_edge(&edge);
        }
        writer.begin(&self.graph)?;
        for node in self.nodes() {
            writer.node(&node.to_message())?;
            if !client.take(&mut writer) {
                return Ok(());
            }
        }
        for edge in self.edges() {
            writer.edge(&edge)?;
            if !client.take(&mut writer) {
                return Ok(());
            }
        }
        writer.finish()?;
        client.take(&mut writer);
        Ok(())
    }

    fn nodes(&self) -> impl Iterator<Item = crate::domain::memory::NodeRef<'_>> {
        self.table.nodes().filter(|node| self.takes(node.ordinal()))
    }

    fn edges(&self) -> impl Iterator<Item = weft_proto::weft::graph::v1::Edge> {
        let taken = self.table.edges().filter(|edge| self.takes(edge.source) && self.takes(edge.target));
        taken.map(|edge| self.table.edge_message(edge))
    }
}
