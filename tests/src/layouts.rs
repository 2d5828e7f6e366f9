//! Looking at layouts: what a viewer sees.

use tonic::{Status, Streaming};
use weft_compute::frames::{self, Frame, Header};
use weft_proto::weft::compute::v1::{
    CreateLayoutRequest, FrameOptions, Layout, LayoutEvent, WatchPositionsRequest, WatchPositionsResponse,
    layout_event::Event,
};

use crate::client::Client;

/// Makes a layout of a graph, and gives its name.
pub async fn create(client: &Client, graph: &str) -> String {
    let request = CreateLayoutRequest {
        parent: graph.into(),
        layout: Some(Layout { seed: 1, ..Layout::default() }),
        ..CreateLayoutRequest::default()
    };
    client.layouts().create_layout(request).await.expect("the graph is there").into_inner().name
}

/// Somebody who looks at a layout, and remembers what was seen last.
#[derive(Debug, Default)]
pub struct Eyes {
    /// The layout as it was told last.
    pub layout: Layout,
    /// The last frame.
    pub frame: Option<Frame>,
    /// The nodes of the last frame.
    pub ids: Vec<u32>,
}

impl Eyes {
    /// Sees one event.
    pub fn see(&mut self, event: LayoutEvent) {
        match event.event.expect("it tells something") {
            Event::Layout(layout) | Event::Failed(layout) => self.layout = layout,
            Event::Frame(bytes) => {
                let frame = frames::decode(&bytes).expect("every frame can be read");
                if let Some(before) = &self.frame {
                    assert!(frame.header.sequence > before.header.sequence, "frames come in order");
                }
                if let Some(ids) = &frame.ids {
                    self.ids.clone_from(ids);
                }
                self.frame = Some(frame);
            }
        }
    }

    /// The header of the last frame.
    pub fn header(&self) -> Option<&Header> {
        self.frame.as_ref().map(|frame| &frame.header)
    }

    /// Where a node is in the last frame.
    pub fn place(&self, ordinal: u32) -> Option<[f32; 2]> {
        let at = self.ids.binary_search(&ordinal).ok()?;
        let positions = &self.frame.as_ref()?.positions;
        Some([positions[0][at], positions[1][at]])
    }
}

/// A stream of positions, and the eyes that look at it.
#[derive(Debug)]
pub struct Viewer {
    /// What was seen.
    pub eyes: Eyes,
    stream: Streaming<WatchPositionsResponse>,
}

impl Viewer {
    /// Begins to look, with as many frames as the service gives.
    ///
    /// # Errors
    /// What the service says.
    pub async fn open(client: &Client, layout: &str) -> Result<Self, Status> {
        let options = FrameOptions { max_frames_per_second: 60.0, ..FrameOptions::default() };
        let request = WatchPositionsRequest { name: layout.into(), options: Some(options) };
        let stream = client.layouts().watch_positions(request).await?.into_inner();
        Ok(Self { eyes: Eyes::default(), stream })
    }

    /// Looks until something is to be seen.
    ///
    /// # Errors
    /// What ended the stream.
    pub async fn until(&mut self, wanted: impl Fn(&Eyes) -> bool) -> Result<(), Status> {
        while !wanted(&self.eyes) {
            let message =
                self.stream.message().await?.ok_or_else(|| Status::unavailable("the stream ended"))?;
            self.eyes.see(message.event.expect("it tells something"));
        }
        Ok(())
    }
}
