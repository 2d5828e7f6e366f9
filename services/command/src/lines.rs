//! AttachWorkers: the line to a process that holds agents' streams. Each agent on it has a task of its own, so that
//! none waits for another's disk flush.

use std::{collections::HashMap, sync::Arc};

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use weft_kit::{Call, Messages};
use weft_proto::weft::command::v1::{
    AttachWorkersRequest, AttachWorkersResponse, WorkerSaid, WorkersOpened, attach_workers_request::Action,
    attach_workers_response::Event,
};

use crate::{
    Error,
    state::State,
    worker::{Told, Worker},
};

/// Messages that wait for the process to read them.
const OUTGOING: usize = 1_024;
/// Messages of one agent that wait for its task.
const INBOX: usize = 64;
/// When so many agents have come, those that are gone are looked for.
const SWEPT_FROM: usize = 64;

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<Messages<AttachWorkersRequest>>,
) -> Result<ReceiverStream<Result<AttachWorkersResponse, Status>>, Error> {
    let mut messages = call.message;
    let Some(first) = messages.next().await else {
        return Err(Error::OutOfTurn("the stream ended before its first message"));
    };
    let Some(Action::Open(open)) = first?.action else {
        return Err(Error::OutOfTurn("the first message must be open"));
    };
    let (told, answers) = mpsc::channel(OUTGOING);
    let opened = AttachWorkersResponse { event: Some(Event::Opened(WorkersOpened {})) };
    // The channel is empty.
    let _ = told.try_send(Ok(opened));
    tracing::debug!(process = %open.process, "agents can be handed commands through a process");
    let state = Arc::clone(state);
    state.lifecycle.clone().spawn_future(async move {
        let mut line = Line { state: Arc::clone(&state), told, inboxes: HashMap::new(), swept: SWEPT_FROM };
        let end = tokio::select! {
            end = line.read(messages) => end,
            () = state.lifecycle.draining() => Err(Error::Draining),
        };
        if let Err(error) = end {
            // Where the process is gone nobody reads it.
            let _ = line.told.try_send(Err(error.into()));
        }
    });
    Ok(ReceiverStream::new(answers))
}

struct Line {
    state: Arc<State>,
    told: Told,
    inboxes: HashMap<String, mpsc::Sender<WorkerSaid>>,
    swept: usize,
}

impl Line {
    /// Until the process is gone.
    async fn read(&mut self, mut messages: Messages<AttachWorkersRequest>) -> Result<(), Error> {
        loop {
            let message = tokio::select! {
                message = messages.next() => message,
                () = self.told.closed() => return Ok(()),
            };
            let Some(message) = message else { return Ok(()) };
            match message?.action {
                None => {}
                Some(Action::Open(_)) => return Err(Error::OutOfTurn("open may only be the first message")),
                Some(Action::Said(said)) => self.hand_on(said).await,
            }
        }
    }

    async fn hand_on(&mut self, mut said: WorkerSaid) {
        if let Some(inbox) = self.inboxes.get(&said.worker) {
            match inbox.send(said).await {
                Ok(()) => return,
                // Its task has ended; another one begins.
                Err(unsent) => said = unsent.0,
            }
        }
        if self.inboxes.len() >= self.swept {
            self.inboxes.retain(|_, inbox| !inbox.is_closed());
            self.swept = (self.inboxes.len() * 2).max(SWEPT_FROM);
        }
        let (inbox, messages) = mpsc::channel(INBOX);
        let worker = said.worker.clone();
        let task = Worker::new(&self.state, worker.clone(), self.told.clone());
        // It is empty.
        let _ = inbox.try_send(said);
        self.state.lifecycle.spawn_future(task.run(messages));
        self.inboxes.insert(worker, inbox);
    }
}
