//! A compute service over SQLite and a graph that the test owns, and eyes to look at its layouts.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt, stream::BoxStream};
use tempfile::TempDir;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;
use weft_compute::{
    ComputeService, Deps, Options,
    frames::{Frame, FrameEncoding, Header, KEYFRAME, REGION, Reader},
};
use weft_kit::{Clock, Ids, Lifecycle, Peer, metrics::Metrics};
use weft_proto::weft::compute::v1::{
    AttachLayoutResponse, CreateLayoutRequest, FrameOptions, Layout, LayoutEvent, LayoutState,
    WatchPositionsRequest, WatchPositionsResponse, layout_event::Event,
    layout_service_client::LayoutServiceClient,
};
use weft_store::{Stores, objects::Objects};

use crate::graph::{GRAPH, TestGraph};

pub(crate) type Client = LayoutServiceClient<Peer>;

/// A compute service with its world.
pub(crate) struct Mesh {
    pub(crate) client: Client,
    pub(crate) graph: TestGraph,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) metrics: Metrics,
    pub(crate) stores: Stores,
    pub(crate) objects: Objects,
    options: Options,
    _folder: TempDir,
}

/// Quick enough for tests: steps are not held back.
pub(crate) fn quick() -> Options {
    Options { max_ticks_per_second: 5_000, ..Options::default() }
}

impl Mesh {
    pub(crate) async fn start(graph: TestGraph) -> Self {
        Self::start_with(graph, quick()).await
    }

    pub(crate) async fn start_with(graph: TestGraph, options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("weft.db").display());
        let stores = weft_store_sqlite::open(&url).await.unwrap();
        let objects = format!("file://{}", folder.path().join("objects").display());
        let objects = Objects::open(&objects, None).unwrap();
        let (client, lifecycle, metrics) = open(graph.peer(), &stores, &objects, &options);
        Self { client, graph, lifecycle, metrics, stores, objects, options, _folder: folder }
    }

    /// Ends the service in an orderly way and opens it again over what it left behind.
    pub(crate) async fn restart(mut self) -> Self {
        self.lifecycle.shut_down(Duration::from_secs(20)).await;
        (self.client, self.lifecycle, self.metrics) =
            open(self.graph.peer(), &self.stores, &self.objects, &self.options);
        self
    }

    /// A layout of the graph with the id `l`.
    pub(crate) async fn layout(&self) -> Layout {
        self.create(create("l")).await.unwrap()
    }

    pub(crate) async fn create(&self, request: CreateLayoutRequest) -> Result<Layout, Status> {
        Ok(self.client.clone().create_layout(request).await?.into_inner())
    }

    /// Looks at a layout without a limit of frames.
    pub(crate) async fn look(&self, name: &str) -> Eyes {
        self.look_with(name, FrameOptions { max_frames_per_second: 120.0, ..FrameOptions::default() }).await
    }

    pub(crate) async fn look_with(&self, name: &str, options: FrameOptions) -> Eyes {
        Eyes::new(self.watch(name, options).await.unwrap())
    }

    pub(crate) async fn watch(
        &self,
        name: &str,
        options: FrameOptions,
    ) -> Result<Streaming<WatchPositionsResponse>, Status> {
        let request = WatchPositionsRequest { name: name.into(), options: Some(options) };
        Ok(self.client.clone().watch_positions(request).await?.into_inner())
    }
}

/// A compute service over these.
pub(crate) fn open(
    graph: Peer,
    stores: &Stores,
    objects: &Objects,
    options: &Options,
) -> (Client, Lifecycle, Metrics) {
    let lifecycle = Lifecycle::new();
    let deps = Deps {
        store: Arc::clone(&stores.layout),
        analyses: Arc::clone(&stores.analysis),
        objects: objects.clone(),
        graph,
        sharing: None,
        clock: Clock::system(),
        ids: Ids::system(),
        lifecycle: lifecycle.clone(),
    };
    let service = ComputeService::open(options.clone(), deps).unwrap();
    let metrics = Metrics::new();
    service.register_metrics(&metrics);
    (LayoutServiceClient::new(Peer::new(service.into_server())), lifecycle, metrics)
}

/// A request for a layout of the graph.
pub(crate) fn create(id: &str) -> CreateLayoutRequest {
    CreateLayoutRequest {
        parent: GRAPH.into(),
        layout_id: id.into(),
        layout: Some(Layout::default()),
        ..CreateLayoutRequest::default()
    }
}

/// The reason in a status.
pub(crate) fn reason(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    (status.code(), details.error_info().map(|info| info.reason.clone()).unwrap_or_default())
}

/// Fails a test that waits for what does not come.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it should have happened by now")
}

/// Somebody who looks at a layout: remembers what was seen.
pub(crate) struct Eyes {
    stream: BoxStream<'static, Result<LayoutEvent, Status>>,
    reader: Reader,
    /// The layout as it was told last.
    pub(crate) layout: Layout,
    /// The last frame.
    pub(crate) frame: Option<Frame>,
    pub(crate) ids: Vec<u32>,
}

impl Eyes {
    pub(crate) fn new(stream: Streaming<WatchPositionsResponse>) -> Self {
        Self::of(stream.map(|message| Ok(message?.event.unwrap())))
    }

    pub(crate) fn attached(stream: Streaming<AttachLayoutResponse>) -> Self {
        Self::of(stream.map(|message| Ok(message?.event.unwrap())))
    }

    fn of(stream: impl Stream<Item = Result<LayoutEvent, Status>> + Send + 'static) -> Self {
        let stream = stream.boxed();
        Self { stream, reader: Reader::default(), layout: Layout::default(), frame: None, ids: Vec::new() }
    }

    /// The next event; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Result<LayoutEvent, Status>> {
        let event = soon(self.stream.next()).await?;
        Some(event.map(|event| self.see(event)))
    }

    fn see(&mut self, event: LayoutEvent) -> LayoutEvent {
        match event.event.as_ref().unwrap() {
            Event::Layout(layout) | Event::Failed(layout) => self.layout = layout.clone(),
            Event::Frame(bytes) => {
                let frame = self.reader.read(bytes).expect("every frame can be read, and builds on what was");
                if let Some(before) = &self.frame {
                    let begins = frame.header.has(KEYFRAME) || frame.header.has(REGION);
                    let (number, last) = (frame.header.sequence, before.header.sequence);
                    // Whoever asks for other frames is shown the same state again.
                    assert!(number > last || (number == last && begins), "frames come in order");
                    let same = frame.header.membership == before.header.membership;
                    assert!(same || begins, "another membership comes with its ids");
                }
                let is_key = frame.header.has(KEYFRAME);
                assert!(!is_key || !event.replaceable, "nobody may miss a keyframe");
                assert!(
                    is_key
                        || event.replaceable
                        || frame.header.has(REGION)
                        || frame.header.encoding == FrameEncoding::Delta,
                    "the newest frame is enough"
                );
                let built_on = frame.header.encoding == FrameEncoding::Delta && !frame.header.has(REGION);
                assert!(!built_on || !event.replaceable, "nobody may miss what the next frame builds on");
                if let Some(ids) = &frame.ids {
                    self.ids.clone_from(ids);
                }
                assert_eq!(self.ids.len(), frame.positions[0].len());
                self.frame = Some(frame);
            }
        }
        event
    }

    /// Looks until it sees the layout in that state.
    pub(crate) async fn until_state(&mut self, state: LayoutState) {
        while self.layout.state() != state {
            self.next().await.expect("the stream goes on").unwrap();
        }
    }

    /// Looks until it sees such a frame.
    pub(crate) async fn until_frame(&mut self, wanted: impl Fn(&Self) -> bool) -> Header {
        while self.frame.is_none() || !wanted(self) {
            self.next().await.expect("the stream goes on").unwrap();
        }
        self.frame.as_ref().unwrap().header
    }

    /// Where a node is in the last frame.
    pub(crate) fn place(&self, ordinal: u32) -> Option<[f32; 2]> {
        let at = self.ids.binary_search(&ordinal).ok()?;
        let positions = &self.frame.as_ref()?.positions;
        Some([positions[0][at], positions[1][at]])
    }
}

/// Options that ask for one encoding.
pub(crate) fn encoded(encoding: FrameEncoding) -> FrameOptions {
    FrameOptions { encodings: vec![encoding.into()], ..FrameOptions::default() }
}
