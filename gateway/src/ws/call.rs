//! One call on a socket, from its first message to its status.

use std::{future::poll_fn, pin::pin, sync::Arc};

use bytes::Bytes;
use futures::{Stream, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::Status;

use super::{
    frame::{self, Protocol},
    line::Gone,
    outbox::Outbox,
};
use crate::{
    call::{self, Head},
    catalog::Entry,
};

/// What a client said, on its way to the service.
#[derive(Debug)]
pub(super) enum Received {
    /// A message, and the places that it holds in the queues.
    Message(Bytes, [OwnedSemaphorePermit; 2]),
    /// There are no more.
    End,
}

/// A call that was begun.
pub(super) struct Call {
    pub(super) number: u64,
    pub(super) entry: Arc<Entry>,
    pub(super) head: Head,
    pub(super) received: mpsc::UnboundedReceiver<Received>,
    pub(super) outbox: Outbox,
    pub(super) protocol: Protocol,
    pub(super) max_message_bytes: usize,
}

impl Call {
    /// Runs the call. Its status is the last thing said.
    pub(super) async fn run(mut self) {
        let received = std::mem::replace(&mut self.received, mpsc::unbounded_channel().1);
        let status = match self.answer(received).await {
            Ok(Ok(())) => Status::ok(""),
            Ok(Err(status)) => status,
            Err(Gone) => return,
        };
        let last = frame::status(self.protocol, self.number, &status, self.entry.pool());
        // Where the socket is gone nobody waits for the status.
        let _ = self.outbox.send(self.number, last).await;
    }

    async fn answer(
        &mut self,
        received: mpsc::UnboundedReceiver<Received>,
    ) -> Result<Result<(), Status>, Gone> {
        let messages = requests(received);
        let head = std::mem::take(&mut self.head);
        let mut answer = match call::call(&self.entry, head, messages, self.max_message_bytes).await {
            Ok(answer) => answer,
            Err(status) => return Ok(Err(status)),
        };
        // Where only what is newest counts, nothing is asked for before the last word is written: what waits would grow old,
        // and the service can say what is newest only when it is asked.
        let turns = (!self.entry.latest.is_empty()).then(|| Arc::new(Semaphore::new(1)));
        loop {
            let turn = match &turns {
                Some(turns) => {
                    let turn = Arc::clone(turns).acquire_owned();
                    before_waiting(turn, || self.outbox.write()).await.ok()
                }
                None => None,
            };
            // What is ready together is written together.
            let next = before_waiting(answer.messages.next(), || self.outbox.write());
            let message = match next.await {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(Ok(())),
                Err(status) => return Ok(Err(status)),
            };
            let may_be_replaced = weft_proto::bool_at(&message, &self.entry.latest);
            let framed = match self.protocol {
                Protocol::Proto => frame::message(self.protocol, self.number, &message),
                Protocol::Json => match self.entry.output_json.encode(message) {
                    Ok(json) => frame::message(self.protocol, self.number, &json),
                    Err(status) => return Ok(Err(status)),
                },
            };
            if may_be_replaced {
                // The next one may take its place.
                drop(turn);
                self.outbox.queue_latest(self.number, framed).await?;
            } else {
                self.outbox.queue(self.number, framed, turn).await?;
            }
        }
    }
}

/// What comes of `work`. If it is not there at once, `first` is done before it is waited for.
async fn before_waiting<W: Future>(work: W, first: impl FnOnce()) -> W::Output {
    let (mut work, mut first) = (pin!(work), Some(first));
    poll_fn(|context| {
        let done = work.as_mut().poll(context);
        if done.is_pending()
            && let Some(first) = first.take()
        {
            first();
        }
        done
    })
    .await
}

/// The request's messages. A place in the queues is free as soon as the service's side takes the
/// message. When the queue is gone without an end, the call is about to be given up: see
/// [`call::call`].
fn requests(received: mpsc::UnboundedReceiver<Received>) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(received, |mut received| async {
        match received.recv().await {
            Some(Received::Message(message, places)) => {
                drop(places);
                Some((message, received))
            }
            Some(Received::End) => None,
            None => std::future::pending().await,
        }
    })
}
