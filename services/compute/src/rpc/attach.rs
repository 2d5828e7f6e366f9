//! AttachLayout: watch and move in one stream.

use std::{collections::HashMap, sync::Arc};

use futures::{Stream, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use weft_kit::{Call, Messages};
use weft_proto::weft::compute::v1::{
    AttachLayoutRequest, LayoutEvent, NodePlacement, attach_layout_request::Action, node_placement::Node,
};

use super::node;
use crate::{
    Error,
    session::{
        Layouts,
        command::{Command, Hand},
        layouts::Held,
        viewer::{Viewer, Wish},
    },
};

/// Nodes that one stream holds at a time at most.
const MAX_HELD: usize = 1_000;

pub(crate) async fn handle(
    layouts: &Arc<Layouts>,
    call: Call<Messages<AttachLayoutRequest>>,
) -> Result<impl Stream<Item = Result<LayoutEvent, Error>> + Send + use<>, Error> {
    let mut messages = call.message;
    let Some(first) = messages.next().await else {
        return Err(Error::OutOfTurn("the stream ended before its first message"));
    };
    let Some(Action::Open(open)) = first.map_err(Box::new)?.action else {
        return Err(Error::OutOfTurn("the first message must be open"));
    };
    let wish = Wish::new(open.options.as_ref(), "open.options")?;
    let seat = super::session(layouts, &open.name).await?.seat()?;

    let (wishes, wished) = watch::channel(wish);
    let (refuse, refusals) = mpsc::channel(1);
    let gone = CancellationToken::new();
    let hand = Hands { hand: seat.new_hand(), session: seat.share(), held: HashMap::new(), wishes };
    let viewer = Viewer::attached(seat, wished, refusals, Some(gone.clone().drop_guard()));
    layouts.lifecycle.spawn_future(async move {
        hand.follow(messages, refuse, gone).await;
    });
    Ok(viewer.into_stream())
}

/// The client's side of an attached stream. It is read whether or not the client reads its own.
struct Hands {
    hand: Hand,
    session: Held,
    /// Nodes that this stream holds, as the client names them.
    held: HashMap<Node, u32>,
    wishes: watch::Sender<Wish>,
}

impl Hands {
    async fn follow(
        mut self,
        mut messages: Messages<AttachLayoutRequest>,
        refuse: mpsc::Sender<Error>,
        gone: CancellationToken,
    ) {
        let read = async {
            while let Some(message) = messages.next().await {
                self.act(message).await?;
            }
            Ok::<_, Error>(())
        };
        match gone.run_until_cancelled(read).await {
            Some(Err(error)) => {
                // The stream is told, and ends; it is dropped then.
                let _ = refuse.send(error).await;
                gone.cancelled().await;
            }
            // No more hands, but the client still looks.
            Some(Ok(())) => gone.cancelled().await,
            None => {}
        }
        // A layout that has failed holds nothing.
        let _ = self.session.send(Command::Leave { hand: self.hand }).await;
    }

    async fn act(&mut self, message: Result<AttachLayoutRequest, Status>) -> Result<(), Error> {
        match message.map_err(Box::new)?.action {
            Some(Action::Open(_)) => Err(Error::OutOfTurn("open may only be the first message")),
            Some(Action::Options(options)) => {
                self.wishes.send_replace(Wish::new(Some(&options), "options")?);
                Ok(())
            }
            Some(Action::Drag(drag)) => self.drag(drag).await,
            Some(Action::Release(release)) => self.release(&release).await,
            None => Err(Error::bad_field("action", "must be given")),
        }
    }

    async fn drag(&mut self, drag: NodePlacement) -> Result<(), Error> {
        self.session.loaded().await?;
        let placed = node::placement(&self.session, &drag, "drag");
        let name = drag.node.ok_or_else(|| Error::bad_field("drag.node", "must be given"))?;
        let (node, position) = match placed {
            Ok(placed) => placed,
            // It was deleted under the hand that holds it: no fault of the client.
            Err(Error::NodeNotFound { .. }) if self.held.contains_key(&name) => return Ok(()),
            Err(error) => return Err(error),
        };
        if self.held.len() >= MAX_HELD && !self.held.contains_key(&name) {
            return Err(Error::Limit {
                reason: "TOO_MANY_HELD_NODES",
                subject: "this stream".into(),
                limit: MAX_HELD as u64,
                what: "nodes held at a time",
            });
        }
        self.held.insert(name, node);
        self.session.send(Command::Drag { hand: self.hand, node, position }).await
    }

    async fn release(&mut self, release: &NodePlacement) -> Result<(), Error> {
        // What is not held needs no release.
        let Some(node) = release.node.as_ref().and_then(|name| self.held.remove(name)) else { return Ok(()) };
        self.session.send(Command::Release { hand: self.hand, node }).await
    }
}
