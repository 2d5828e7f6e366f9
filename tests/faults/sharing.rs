//! Three processes of the compute service over one PostgreSQL: what each of them simulates goes on when it ends, in order or not,
//! and whoever looks through the others sees it go on.

use std::{fs, path::Path, time::Duration};

use tonic::{Code, Status};
use weft_proto::weft::compute::v1::{LayoutState, NodePlacement, PinNodesRequest, node_placement::Node};
use weft_tests::{
    client::Client,
    database::Backends,
    graphs::{self, edge, node},
    layouts::{self, Viewer},
    process::Process,
};

/// Layouts, and nodes in a ring of each of their graphs.
const LAYOUTS: usize = 30;
const GRAPHS: usize = 3;
const NODES: usize = 40;
/// Seconds after which others take the layouts of a process that was killed.
const LEASE: &str = "3";

struct Mesh {
    /// One that has everything but the compute service.
    base: Process,
    computes: Vec<Process>,
}

impl Mesh {
    fn start(folder: &Path, backends: &Backends) -> Self {
        let objects = folder.join("objects");
        fs::create_dir(&objects).expect("a folder can be made");
        let service = |name: &str, services: &[&str]| {
            Process::serve(&folder.join(name), services)
                .set("STORAGE__DATABASE", &backends.postgres)
                .set("STORAGE__BUS", &backends.redis)
                .set("STORAGE__OBJECTS", &format!("file://{}", objects.display()))
                .set("COMPUTE__LEASE_SECONDS", LEASE)
                .set("COMPUTE__SAVE_EVERY_SECONDS", "1")
        };
        let mut base = service("base", &["identity", "graph"]);
        base.start();
        let computes = (0..3)
            .map(|at| {
                let name = format!("compute-{at}");
                let data = folder.join(&name);
                fs::create_dir(&data).expect("a folder can be made");
                fs::copy(folder.join("base/mesh.key"), data.join("mesh.key")).expect("it was made");
                let mut process = service(&name, &["compute"])
                    .set("PEERS__IDENTITY", &base.url())
                    .set("PEERS__GRAPH", &base.url());
                process.start();
                process
            })
            .collect();
        Self { base, computes }
    }

    /// The administrator, at one of the compute processes.
    fn at(&self, compute: usize) -> Client {
        Client::new(&self.computes[compute].url(), Some(&self.base.key()))
    }

    async fn metric(&self, compute: usize, name: &str) -> usize {
        let metrics = self.at(compute).metrics().await;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().expect("a count")
    }
}

/// Looks at a layout, again and again where it is just being moved, as clients do.
async fn look(client: &Client, layout: &str, wanted: impl Fn(&layouts::Eyes) -> bool) -> layouts::Eyes {
    let look = async {
        loop {
            let seen: Result<_, Status> = async {
                let mut viewer = Viewer::open(client, layout).await?;
                viewer.until(&wanted).await?;
                Ok(viewer.eyes)
            }
            .await;
            match seen {
                Ok(eyes) => return eyes,
                Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
            }
            // The pause that UNAVAILABLE asks for: there is nothing to wait on from outside.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), look).await.expect("it goes on")
}

/// A layout at rest, and where its nodes are then.
async fn settled(client: &Client, layout: &str) -> [Vec<f32>; 3] {
    let at_rest = |eyes: &layouts::Eyes| {
        eyes.layout.state() == LayoutState::Settled
            && eyes.header().is_some_and(|header| header.tick == eyes.layout.tick)
    };
    look(client, layout, at_rest).await.frame.expect("it was seen").positions
}

/// The median of how far nodes are from where they were, in parts of the extent.
fn displacement(before: &[Vec<f32>; 3], after: &[Vec<f32>; 3]) -> f32 {
    let span = |column: &Vec<f32>| {
        let (least, most) = column
            .iter()
            .fold((f32::MAX, f32::MIN), |(least, most), value| (least.min(*value), most.max(*value)));
        most - least
    };
    let extent = span(&before[0]).max(span(&before[1]));
    let mut far: Vec<f32> = (0..before[0].len())
        .map(|at| (before[0][at] - after[0][at]).hypot(before[1][at] - after[1][at]) / extent)
        .collect();
    far.sort_by(f32::total_cmp);
    far[far.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layouts_of_three_processes_survive_a_drain_and_a_kill() {
    let Some(backends) = Backends::find().await else { return };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut mesh = Mesh::start(folder.path(), &backends);
    for compute in 0..3 {
        let all = async {
            while mesh.metric(compute, "weft_compute_members").await < 3 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("they find each other");
    }
    let base = mesh.base.client();
    let mut names = Vec::new();
    for graph in 0..GRAPHS {
        let graph = graphs::create(&base, &format!("g{graph}")).await;
        let mut changes: Vec<_> = (0..NODES).map(|at| node(&format!("n{at}"))).collect();
        changes.extend((0..NODES).map(|at| edge(&format!("n{at}"), &format!("n{}", (at + 1) % NODES))));
        graphs::apply(&base, &graph, changes).await;
        for at in 0..LAYOUTS / GRAPHS {
            names.push(layouts::create(&mesh.at(at % 3), &graph).await);
        }
    }
    // All are seen through each process, and each is simulated by one.
    let mut places = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let pin = NodePlacement { node: Some(Node::Key("n1".into())), position: None };
        let request = PinNodesRequest { name: name.clone(), nodes: vec![pin] };
        mesh.at(at % 3).layouts().pin_nodes(request).await.expect("any process takes it");
        let seen = [
            settled(&mesh.at(0), name).await,
            settled(&mesh.at(1), name).await,
            settled(&mesh.at(2), name).await,
        ];
        assert!(seen[0] == seen[1] && seen[1] == seen[2], "all look at the same simulation");
        places.push(seen.into_iter().next().expect("there are three"));
    }
    let mut shares = Vec::new();
    for compute in 0..3 {
        shares.push(mesh.metric(compute, "weft_compute_layouts_loaded").await);
    }
    assert_eq!(shares.iter().sum::<usize>(), LAYOUTS, "each is simulated once: {shares:?}");
    assert!(shares.iter().all(|share| *share >= 1), "{shares:?}");

    // One ends in order: it saves, gives its layouts back, and others go on from there.
    mesh.computes[0].terminate();
    assert!(mesh.computes[0].ended().await.success(), "{}", mesh.computes[0].log());
    for (name, before) in names.iter().zip(&places) {
        let after = settled(&mesh.at(1), name).await;
        assert!(displacement(before, &after) <= 1e-3, "{name} has moved with its process");
    }
    let left = mesh.metric(1, "weft_compute_layouts_loaded").await
        + mesh.metric(2, "weft_compute_layouts_loaded").await;
    assert_eq!(left, LAYOUTS, "the two that are left have all of them");

    // One is killed: its lease ends, and the last one has everything.
    mesh.computes[1].kill();
    let killed = tokio::time::Instant::now();
    for (name, before) in names.iter().zip(&places) {
        let after = settled(&mesh.at(2), name).await;
        assert!(displacement(before, &after) <= 1e-3, "{name} is not where it was saved");
    }
    eprintln!("all layouts were seen again {:?} after their process was killed", killed.elapsed());
    assert_eq!(mesh.metric(2, "weft_compute_layouts_loaded").await, LAYOUTS);
    assert_eq!(
        mesh.metric(2, "weft_compute_layouts_lost_total").await,
        0,
        "nobody was taken for dead who lived"
    );
    drop(mesh);
    backends.remove().await;
}
