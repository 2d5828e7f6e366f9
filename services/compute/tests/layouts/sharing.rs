//! Whether several processes share layouts: each is simulated by one of them and watched through any, goes on when that one
//! ends or falls silent, and is never written by two.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use futures::future::BoxFuture;
use tempfile::TempDir;
use tonic::{Code, Status, body::Body};
use tower::Service;
use uuid::Uuid;
use weft_compute::{ComputeService, Deps, Options, Sharing};
use weft_kit::{BoxError, Clock, Ids, Lifecycle, Peer, Problem, metrics::Metrics};
use weft_proto::weft::compute::v1::{
    AttachLayoutRequest, AttachOpen, FrameOptions, GetLayoutRequest, Layout, LayoutState, ListLayoutsRequest,
    NodePlacement, PinNodesRequest, ReheatLayoutRequest, WatchPositionsRequest,
    attach_layout_request::Action, layout_event::Event, layout_service_client::LayoutServiceClient,
    node_placement::Node,
};
use weft_store::{MemberRow, MemberStore, Result, StoreError, Stores, Timestamp, objects::Objects};

use crate::{
    graph::{GRAPH, TestGraph},
    mesh::{Client, Eyes, Mesh, create, quick, reason, soon},
};

/// Seconds of a lease here.
const LEASE: u64 = 6;

/// Several processes over one store.
struct Several {
    graph: TestGraph,
    stores: Stores,
    objects: Objects,
    clock: Clock,
    wires: Wires,
    processes: Vec<Process>,
    options: Options,
    _folder: TempDir,
}

struct Process {
    client: Client,
    lifecycle: Lifecycle,
    metrics: Metrics,
    wire: Wire,
}

/// How processes reach each other, by address.
type Wires = Arc<Mutex<HashMap<String, Wire>>>;

/// The way to one process, and its way to the store of leases. Both can be cut: it goes on, and nobody hears of it.
#[derive(Clone)]
struct Wire {
    peer: Arc<Mutex<Option<Peer>>>,
    cut: Arc<AtomicBool>,
    /// Whoever calls is cut off.
    caller_cut: Arc<AtomicBool>,
}

impl Service<http::Request<Body>> for Wire {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, std::result::Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let cut = self.cut.load(Ordering::SeqCst) || self.caller_cut.load(Ordering::SeqCst);
        let peer = self.peer.lock().unwrap().clone().filter(|_| !cut);
        Box::pin(async move {
            let Some(mut peer) = peer else {
                let status: Status = Problem::unavailable("PEER_UNREACHABLE", "it is cut off").into();
                return Ok(status.into_http());
            };
            peer.call(request).await
        })
    }
}

/// The store of leases, as a process reaches it.
struct Reached {
    store: Arc<dyn MemberStore>,
    cut: Arc<AtomicBool>,
}

#[async_trait]
impl MemberStore for Reached {
    async fn keep_member(
        &self,
        service: &str,
        member: MemberRow,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<MemberRow>> {
        if self.cut.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("cut off"));
        }
        self.store.keep_member(service, member, at, until).await
    }

    async fn remove_member(&self, uid: Uuid) -> Result<()> {
        self.store.remove_member(uid).await
    }
}

impl Several {
    async fn start(count: u64, graph: TestGraph) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("weft.db").display());
        let stores = weft_store_sqlite::open(&url).await.unwrap();
        let objects = format!("file://{}", folder.path().join("objects").display());
        let objects = Objects::open(&objects, None).unwrap();
        let options = Options { lease_seconds: LEASE, ..quick() };
        let clock = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 56));
        let (wires, processes) = (Wires::default(), Vec::new());
        let mut several = Self { graph, stores, objects, clock, wires, processes, options, _folder: folder };
        for _ in 0..count {
            several.join().await;
        }
        several
    }

    /// One more process; waits until it and all others know each other.
    async fn join(&mut self) {
        let number = self.processes.len() as u64;
        let address = format!("http://process-{number}:8080");
        let wire = Wire { peer: Arc::default(), cut: Arc::default(), caller_cut: Arc::default() };
        self.wires.lock().unwrap().insert(address.clone(), wire.clone());
        let (wires, caller_cut) = (Arc::clone(&self.wires), Arc::clone(&wire.cut));
        let ids = Ids::seeded(number);
        let members = weft_members::Sharing {
            store: Arc::new(Reached { store: Arc::clone(&self.stores.member), cut: Arc::clone(&wire.cut) }),
            service: "compute",
            uid: ids.uuid(),
            address,
            dial: Arc::new(move |address| {
                let wire = wires.lock().unwrap().get(address).cloned();
                let wire = wire.map(|wire| Wire { caller_cut: Arc::clone(&caller_cut), ..wire });
                wire.map(Peer::new).ok_or_else(|| "nobody has this address".to_owned())
            }),
        };
        let sharing = Sharing { members, store: Arc::clone(&self.stores.placement) };
        let lifecycle = Lifecycle::new();
        let deps = Deps {
            store: Arc::clone(&self.stores.layout),
            analyses: Arc::clone(&self.stores.analysis),
            objects: self.objects.clone(),
            graph: self.graph.peer(),
            sharing: Some(sharing),
            clock: self.clock.clone(),
            ids,
            lifecycle: lifecycle.clone(),
        };
        let service = ComputeService::open(self.options.clone(), deps).unwrap();
        let metrics = Metrics::new();
        service.register_metrics(&metrics);
        let peer = Peer::new(service.into_server());
        *wire.peer.lock().unwrap() = Some(peer.clone());
        let client = LayoutServiceClient::new(peer);
        self.processes.push(Process { client, lifecycle, metrics, wire });
        self.all_know(self.processes.len()).await;
    }

    /// Waits until every process that can be reached knows of so many.
    async fn all_know(&self, count: usize) {
        for process in &self.processes {
            if !process.is_gone() {
                soon(async {
                    while process.metric("weft_compute_members") != count {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                })
                .await;
            }
        }
    }

    fn loaded(&self) -> Vec<usize> {
        self.processes.iter().map(|process| process.metric("weft_compute_layouts_loaded")).collect()
    }

    /// The process that simulates a layout.
    async fn owner(&self, layout: &Layout) -> usize {
        let uid = Uuid::parse_str(&layout.uid).unwrap();
        let holder = self.stores.placement.get_hold(uid).await.unwrap().unwrap().holder.unwrap();
        (0..self.processes.len()).find(|at| Ids::seeded(*at as u64).uuid() == holder).unwrap()
    }

    /// Ends them, and looks that one object is left of each layout.
    async fn end(self) {
        for process in &self.processes {
            process.lifecycle.shut_down(Duration::from_secs(20)).await;
        }
        let layouts = self.stores.layout.running_layouts(Uuid::nil(), 1_000).await.unwrap();
        let saved = self.objects.list("layouts", "", 1_000).await.unwrap();
        let keys: Vec<_> = saved.into_iter().map(|object| object.key).collect();
        assert_eq!(keys.len(), layouts.len(), "{keys:?}");
    }
}

impl Process {
    fn is_gone(&self) -> bool {
        self.wire.cut.load(Ordering::SeqCst) || self.lifecycle.is_draining()
    }

    fn metric(&self, name: &str) -> usize {
        let text = self.metrics.encode();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    async fn create(&self, id: &str) -> Layout {
        self.client.clone().create_layout(create(id)).await.unwrap().into_inner()
    }

    async fn get(&self, name: &str) -> Layout {
        let request = GetLayoutRequest { name: name.into() };
        self.client.clone().get_layout(request).await.unwrap().into_inner()
    }

    /// Looks at a layout, again where it is just being moved.
    async fn look(&self, name: &str) -> Eyes {
        let options = Some(FrameOptions { max_frames_per_second: 120.0, ..FrameOptions::default() });
        soon(async {
            loop {
                let request = WatchPositionsRequest { name: name.into(), options: options.clone() };
                match self.client.clone().watch_positions(request).await {
                    Ok(stream) => return Eyes::new(stream.into_inner()),
                    Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
    }

    /// A layout at rest, and where its nodes are.
    async fn settled(&self, name: &str) -> (Layout, [Vec<f32>; 3]) {
        let mut eyes = self.look(name).await;
        eyes.until_state(LayoutState::Settled).await;
        let tick = eyes.layout.tick;
        eyes.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.tick == tick).await;
        (eyes.layout.clone(), eyes.frame.unwrap().positions)
    }

    async fn pin(&self, name: &str, ordinal: u32) {
        let node = NodePlacement { node: Some(Node::Ordinal(ordinal)), position: None };
        let request = PinNodesRequest { name: name.into(), nodes: vec![node] };
        self.client.clone().pin_nodes(request).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layout_is_simulated_by_one_process_and_watched_through_any() {
    let several = Several::start(3, TestGraph::ring(12, 0)).await;
    let mut layouts = Vec::new();
    for at in 0..18 {
        layouts.push(several.processes[at % 3].create(&format!("l{at}")).await);
    }
    for layout in &layouts {
        let mut seen = Vec::new();
        for process in &several.processes {
            seen.push(process.settled(&layout.name).await.1);
        }
        assert!(seen[0] == seen[1] && seen[1] == seen[2], "all look at the same simulation");
        assert_eq!(several.processes[0].get(&layout.name).await.uid, layout.uid);
    }
    for process in &several.processes {
        let request = ListLayoutsRequest { parent: GRAPH.into(), ..ListLayoutsRequest::default() };
        let listed = process.client.clone().list_layouts(request).await.unwrap().into_inner().layouts;
        assert_eq!(listed.len(), 18);
        assert!(
            listed.iter().all(|layout| layout.state() == LayoutState::Settled && layout.node_count == 12)
        );
    }
    let loaded = several.loaded();
    assert_eq!(loaded.iter().sum::<usize>(), 18, "each is simulated once: {loaded:?}");
    assert!(loaded.iter().all(|share| *share >= 2), "each process has its share: {loaded:?}");
    for layout in &layouts {
        let uid = Uuid::parse_str(&layout.uid).unwrap();
        assert_eq!(several.stores.placement.get_hold(uid).await.unwrap().unwrap().epoch, 1, "and taken once");
    }
    several.end().await;
}

/// Only processes that share the layouts say of a call that they have handed it on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_says_of_handing_on_counts_for_nothing() {
    let several = Several::start(2, TestGraph::ring(6, 0)).await;
    let layout = several.processes[0].create("l").await;
    several.processes[0].settled(&layout.name).await;
    let far = 1 - several.owner(&layout).await;
    for claimed in ["1".to_owned(), Uuid::from_u128(7).to_string()] {
        let mut request = tonic::Request::new(ReheatLayoutRequest {
            name: layout.name.clone(),
            ..ReheatLayoutRequest::default()
        });
        request.metadata_mut().insert("weft-handed-on", claimed.parse().unwrap());
        let answered = several.processes[far].client.clone().reheat_layout(request).await;
        assert_eq!(answered.unwrap().into_inner().uid, layout.uid, "{claimed}");
    }
    several.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_moves_nodes_of_a_layout_elsewhere() {
    let several = Several::start(2, TestGraph::ring(6, 0)).await;
    let layout = several.processes[0].create("l").await;
    several.processes[0].settled(&layout.name).await;
    let far = 1 - several.owner(&layout).await;
    let (send, sent) = futures::channel::mpsc::unbounded();
    let open = AttachOpen { name: layout.name.clone(), options: None };
    send.unbounded_send(AttachLayoutRequest { action: Some(Action::Open(open)) }).unwrap();
    let mut events = several.processes[far].client.clone().attach_layout(sent).await.unwrap().into_inner();
    let position = weft_proto::weft::compute::v1::Point { x: 4_000.0, y: 3_000.0, z: 0.0 };
    let drag = NodePlacement { node: Some(Node::Ordinal(2)), position: Some(position) };
    send.unbounded_send(AttachLayoutRequest { action: Some(Action::Drag(drag)) }).unwrap();
    soon(async {
        loop {
            let event = events.message().await.unwrap().expect("the stream goes on").event.unwrap();
            if let Some(Event::Frame(bytes)) = event.event {
                let frame = weft_compute::frames::decode(&bytes).unwrap();
                let [x, y] = [frame.positions[0][2], frame.positions[1][2]];
                if (x - 4_000.0).abs() < 0.5 && (y - 3_000.0).abs() < 0.5 {
                    return;
                }
            }
        }
    })
    .await;
    // What is wrong with a message is told by whoever reads it first.
    let bad = NodePlacement { node: Some(Node::Key("nobody".into())), position: None };
    send.unbounded_send(AttachLayoutRequest { action: Some(Action::Drag(bad)) }).unwrap();
    let refused = soon(async {
        loop {
            match events.message().await {
                Ok(message) => assert!(message.is_some(), "the end has a reason"),
                Err(status) => return status,
            }
        }
    })
    .await;
    assert_eq!(reason(&refused), (Code::NotFound, "NODE_NOT_FOUND".into()));
    several.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layouts_go_on_elsewhere_where_they_were_when_their_process_ends() {
    let several = Several::start(3, TestGraph::ring(12, 0)).await;
    let mut layouts = Vec::new();
    for at in 0..9 {
        let layout = several.processes[at % 3].create(&format!("l{at}")).await;
        several.processes[(at + 1) % 3].pin(&layout.name, 3).await;
        let (_, places) = several.processes[0].settled(&layout.name).await;
        layouts.push((layout, places));
    }
    let leaver = several.owner(&layouts[0].0).await;
    let stays = (leaver + 1) % 3;
    let mut eyes = several.processes[stays].look(&layouts[0].0.name).await;
    eyes.until_frame(|_| true).await;
    several.processes[leaver].lifecycle.shut_down(Duration::from_secs(20)).await;
    // Who looked is told to come again.
    let told = loop {
        match eyes.next().await.expect("the end has a reason") {
            Ok(_) => {}
            Err(status) => break status,
        }
    };
    assert_eq!(reason(&told), (Code::Unavailable, "DRAINING".into()));

    for (layout, places) in &layouts {
        let (now, after) = several.processes[stays].settled(&layout.name).await;
        assert_eq!(now.uid, layout.uid);
        assert_eq!(&after, places, "it is where it was");
        assert_ne!(several.owner(layout).await, leaver);
        let uid = Uuid::parse_str(&layout.uid).unwrap();
        let row = several.stores.layout.running_layouts(Uuid::nil(), 100).await.unwrap();
        assert!(!row.iter().find(|row| row.uid == uid).unwrap().pins.is_empty(), "pins are kept");
    }
    assert_eq!(several.loaded().iter().sum::<usize>(), 9);
    several.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_process_is_followed_by_another_and_writes_nothing_any_more() {
    let several = Several::start(3, TestGraph::ring(12, 0)).await;
    let mut layouts = Vec::new();
    for at in 0..9 {
        let layout = several.processes[at % 3].create(&format!("l{at}")).await;
        let (_, places) = several.processes[0].settled(&layout.name).await;
        layouts.push((layout, places));
    }
    let silent = several.owner(&layouts[0].0).await;
    let hears = (silent + 1) % 3;
    let held: Vec<_> = {
        let mut held = Vec::new();
        for (layout, places) in &layouts {
            if several.owner(layout).await == silent {
                held.push((layout, places));
            }
        }
        held
    };
    several.processes[silent].wire.cut.store(true, Ordering::SeqCst);
    several.clock.advance(Duration::from_secs(LEASE + 1));
    for (layout, places) in &held {
        let (_, after) = several.processes[hears].settled(&layout.name).await;
        assert_eq!(&after, *places, "from where it was saved");
        assert_ne!(several.owner(layout).await, silent);
    }
    // It has not noticed yet, or has: either way it writes about none of them.
    let holds = async || {
        let mut holds = Vec::new();
        for (layout, _) in &held {
            let uid = Uuid::parse_str(&layout.uid).unwrap();
            let hold = several.stores.placement.get_hold(uid).await.unwrap().unwrap();
            assert_eq!(hold.epoch, 2, "it was taken by two processes, one after the other");
            holds.push(hold);
        }
        holds
    };
    // The new ones save in the background what they have taken over.
    let before = soon(async {
        loop {
            let holds = holds().await;
            if holds.iter().all(|hold| hold.saved.epoch == 2) {
                return holds;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let zombie = several.processes[silent].client.clone();
    for (layout, _) in &held {
        let reheat = ReheatLayoutRequest { name: layout.name.clone(), ..ReheatLayoutRequest::default() };
        let _ = zombie.clone().reheat_layout(reheat).await;
        let node = NodePlacement { node: Some(Node::Ordinal(1)), position: None };
        let pin = PinNodesRequest { name: layout.name.clone(), nodes: vec![node] };
        let refused = zombie.clone().pin_nodes(pin).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    }
    // It saves what it believes to have when it ends.
    several.processes[silent].lifecycle.shut_down(Duration::from_secs(20)).await;
    assert_eq!(holds().await, before);
    for (layout, places) in &held {
        assert_eq!(&several.processes[hears].settled(&layout.name).await.1, *places);
        let uid = Uuid::parse_str(&layout.uid).unwrap();
        let rows = several.stores.layout.running_layouts(Uuid::nil(), 100).await.unwrap();
        assert!(rows.iter().find(|row| row.uid == uid).unwrap().pins.is_empty());
    }
    several.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_takes_a_share_of_what_comes_and_nothing_that_is_looked_at() {
    let mut several = Several::start(2, TestGraph::ring(6, 0)).await;
    let mut eyes = Vec::new();
    for at in 0..8 {
        let layout = several.processes[at % 2].create(&format!("l{at}")).await;
        eyes.push(several.processes[0].look(&layout.name).await);
    }
    let before = several.loaded();
    several.join().await;
    for eyes in &mut eyes {
        eyes.until_frame(|_| true).await;
    }
    assert_eq!(several.loaded(), [before[0], before[1], 0], "nothing moves because somebody came");
    for at in 8..20 {
        let layout = several.processes[at % 2].create(&format!("l{at}")).await;
        several.processes[0].look(&layout.name).await.until_frame(|_| true).await;
    }
    assert!(several.loaded()[2] >= 1, "{:?}", several.loaded());
    several.end().await;
}

#[tokio::test]
async fn who_is_alone_keeps_no_accounts_of_who_has_what() {
    let mesh = Mesh::start(TestGraph::ring(6, 0)).await;
    let layout = mesh.layout().await;
    let mut eyes = mesh.look(&layout.name).await;
    eyes.until_state(LayoutState::Settled).await;
    mesh.lifecycle.shut_down(Duration::from_secs(20)).await;
    let uid = Uuid::parse_str(&layout.uid).unwrap();
    assert_eq!(mesh.stores.placement.get_hold(uid).await.unwrap(), None);
    let saved = mesh.objects.list("layouts", "", 10).await.unwrap();
    let keys: Vec<_> = saved.into_iter().map(|object| object.key).collect();
    assert_eq!(keys, [format!("layouts/{uid}")]);
}
