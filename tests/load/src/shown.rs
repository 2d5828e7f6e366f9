//! When was the result of a step there to be sent? Seen from inside the process, without changing it.
//!
//! A frame does not say when it was made, and no clock of a viewer would agree with one that did. So a
//! viewer in the mesh's own process notes when each state is shown to viewers: that is when the
//! simulation has made its step and put the nodes' places into columns, before anything is encoded or
//! sent. It calls the service without a socket, looks at a box far away from every node, so that
//! its frames are a header and nothing is encoded for it, and has a thread and a runtime of its own, so
//! that it does not stand in line behind the viewers that are measured.
//!
//! What it notes is late by the waking of its thread and one look at each node (0.2 ms for
//! 100,000 nodes): what is measured with it is too small by that, never too large.

use std::{
    collections::HashMap,
    thread::{self, JoinHandle},
    time::Instant,
};

use anyhow::{Context, Result, anyhow};
use tokio::sync::oneshot;
use weft_compute::frames::Header;
use weft_kit::Peer;
use weft_proto::weft::compute::v1::{
    Box as Region, FrameEncoding, FrameOptions, Point, WatchPositionsRequest, layout_event,
    layout_service_client::LayoutServiceClient,
};
use weft_tests::runtime::signed;

use crate::rpc::now;

/// A coordinate that no node has.
const FAR: f32 = 1e30;

/// Notes when states of a layout are shown.
pub(crate) struct Shown {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<HashMap<u64, Instant>>>,
}

impl Shown {
    /// Begins to watch a layout of the service `compute` in this process.
    pub(crate) fn watch(compute: Peer, key: String, layout: String) -> Self {
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(note(compute, &key, layout, stopped))
        });
        Self { stop, thread }
    }

    /// When each state was shown, by its number.
    pub(crate) fn stop(self) -> Result<HashMap<u64, Instant>> {
        // It may have ended by itself; then its result says why.
        let _ = self.stop.send(());
        self.thread.join().map_err(|_| anyhow!("the watching thread panicked"))?
    }
}

async fn note(
    compute: Peer,
    key: &str,
    layout: String,
    mut stopped: oneshot::Receiver<()>,
) -> Result<HashMap<u64, Instant>> {
    let far = Point { x: FAR, y: FAR, z: FAR };
    let options = FrameOptions {
        encodings: vec![FrameEncoding::ColumnsQ16.into()],
        max_frames_per_second: 120.0,
        region: Some(Region { min: Some(far), max: Some(far) }),
        max_nodes: 0,
    };
    let request = WatchPositionsRequest { name: layout, options: Some(options) };
    let mut client = LayoutServiceClient::new(compute).max_decoding_message_size(64 * 1024 * 1024);
    let mut events = client.watch_positions(signed(request, key)).await?.into_inner();
    let mut shown = HashMap::new();
    loop {
        let event = tokio::select! {
            event = events.message() => event?,
            _ = &mut stopped => return Ok(shown),
        };
        let event = event.and_then(|response| response.event).context("the stream ended")?;
        if let Some(layout_event::Event::Frame(frame)) = event.event {
            shown.insert(Header::read(&frame)?.sequence, now());
        }
    }
}
