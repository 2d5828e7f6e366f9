//! Whether layouts keep to their constraints, as those who look see it.

use tonic::Code;
use weft_proto::weft::compute::v1::{
    AlignmentRule, Ball, BoundaryRule, ClusterRule, CollisionRule, Constraint, CreateConstraintRequest,
    DeleteConstraintRequest, DistanceRule, GetConstraintRequest, HierarchyRule, LayoutState,
    ListConstraintsRequest, NodeKeys, NodePair, NodePlacement, NodeSet, PinNodesRequest, Point,
    PropertyMatch, UpdateConstraintRequest, boundary_rule::Region, cluster_rule::Members, constraint::Rule,
    node_placement::Node, node_set::Nodes,
};

use crate::{
    graph::TestGraph,
    mesh::{Eyes, Mesh, reason, soon},
};

/// Layout units that a kept constraint may be off by.
const OFF: f32 = 0.2;

fn point(x: f32, y: f32) -> Point {
    Point { x, y, z: 0.0 }
}

fn keys(nodes: &[&str]) -> NodeSet {
    NodeSet { nodes: Some(Nodes::Keys(NodeKeys { keys: nodes.iter().map(ToString::to_string).collect() })) }
}

fn team(team: &str) -> NodeSet {
    let kind = Some(prost_types::value::Kind::StringValue(team.into()));
    let value = Some(prost_types::Value { kind });
    NodeSet { nodes: Some(Nodes::Property(PropertyMatch { property: "team".into(), value })) }
}

/// Nodes on one height.
fn level(nodes: NodeSet) -> Rule {
    let direction = Some(point(1.0, 0.0));
    Rule::Alignment(AlignmentRule { nodes: Some(nodes), direction, ..AlignmentRule::default() })
}

fn apart(a: &str, b: &str, distance: f64) -> Rule {
    Rule::Distance(DistanceRule { pairs: vec![NodePair { a: a.into(), b: b.into() }], distance })
}

fn create(layout: &str, id: &str, rule: Rule) -> CreateConstraintRequest {
    CreateConstraintRequest {
        parent: layout.into(),
        constraint_id: id.into(),
        constraint: Some(Constraint { rule: Some(rule), ..Constraint::default() }),
        request_id: String::new(),
    }
}

impl Mesh {
    async fn constrain(&self, layout: &str, id: &str, rule: Rule) -> Constraint {
        let request = create(layout, id, rule);
        self.client.clone().create_constraint(request).await.unwrap().into_inner()
    }

    /// Looks at the settled layout that the constraints in force have made.
    async fn settled(&self, layout: &str) -> Eyes {
        let mut eyes = self.look(layout).await;
        eyes.until_frame(|_| true).await;
        eyes.until_state(LayoutState::Settled).await;
        eyes.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.tick == eyes.layout.tick).await;
        eyes
    }

    /// Waits until a constraint concerns so many nodes.
    async fn until_held(&self, name: &str, count: i64) {
        soon(async {
            let request = GetConstraintRequest { name: name.into() };
            while self.client.clone().get_constraint(request.clone()).await.unwrap().into_inner().node_count
                != count
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

fn height(eyes: &Eyes, ordinal: u32) -> f32 {
    eyes.place(ordinal).unwrap()[1]
}

fn distance(eyes: &Eyes, a: u32, b: u32) -> f32 {
    let (a, b) = (eyes.place(a).unwrap(), eyes.place(b).unwrap());
    (a[0] - b[0]).hypot(a[1] - b[1])
}

#[tokio::test]
async fn a_constraint_wakes_a_settled_layout_and_outlives_a_restart() {
    let mesh = Mesh::start(TestGraph::ring(12, 0)).await;
    let layout = mesh.layout().await.name;
    let before = mesh.settled(&layout).await;
    assert!((height(&before, 0) - height(&before, 4)).abs() > 1.0);

    let made = mesh.constrain(&layout, "row", level(keys(&["n0", "n4", "n8"]))).await;
    assert_eq!(made.name, format!("{layout}/constraints/row"));
    assert_eq!((made.strength, made.uid.is_empty()), (Some(1.0), false));
    mesh.until_held(&made.name, 3).await;
    let eyes = mesh.settled(&layout).await;
    assert!(eyes.layout.tick > before.layout.tick);
    for node in [4, 8] {
        assert!((height(&eyes, 0) - height(&eyes, node)).abs() < OFF);
    }
    let places = eyes.frame.as_ref().unwrap().positions.clone();
    drop((before, eyes));

    let mesh = mesh.restart().await;
    let eyes = mesh.settled(&layout).await;
    assert_eq!(eyes.frame.as_ref().unwrap().positions, places, "it rests as before");
    let list = ListConstraintsRequest { parent: layout.clone(), ..ListConstraintsRequest::default() };
    let listed = mesh.client.clone().list_constraints(list).await.unwrap().into_inner().constraints;
    assert_eq!(listed, [Constraint { node_count: 3, ..made.clone() }]);

    let delete = DeleteConstraintRequest { name: made.name.clone(), etag: made.etag };
    mesh.client.clone().delete_constraint(delete.clone()).await.unwrap();
    let mut eyes = mesh.look(&layout).await;
    eyes.until_frame(|eyes| (height(eyes, 0) - height(eyes, 4)).abs() > 1.0).await;
    let status = mesh.client.clone().delete_constraint(delete).await.unwrap_err();
    assert_eq!(reason(&status), (Code::NotFound, "CONSTRAINT_NOT_FOUND".into()));
}

#[tokio::test]
async fn every_kind_is_kept_to() {
    let mesh = Mesh::start(TestGraph::ring(12, 0)).await;
    for node in ["n1", "n2", "n3"] {
        mesh.graph.set_team(node, "red");
    }
    let layout = mesh.layout().await.name;
    let ball = Ball { center: Some(point(5.0, 0.0)), radius: 60.0 };
    let rules = [
        ("apart", apart("n5", "n6", 30.0)),
        (
            "down",
            Rule::Hierarchy(HierarchyRule {
                direction: Some(point(0.0, -1.0)),
                gap: 3.0,
                ..Default::default()
            }),
        ),
        (
            "red",
            Rule::Cluster(ClusterRule {
                members: Some(Members::GroupByProperty("team".into())),
                radius: Some(6.0),
                exclusive: true,
                ..ClusterRule::default()
            }),
        ),
        ("room", Rule::Collision(CollisionRule { radius: 1.5, radius_property: String::new() })),
        ("fence", Rule::Boundary(BoundaryRule { nodes: None, region: Some(Region::Ball(ball)) })),
    ];
    for (id, rule) in rules {
        let made = mesh.constrain(&layout, id, rule).await;
        mesh.until_held(
            &made.name,
            match id {
                "apart" => 2,
                "red" => 3,
                _ => 12,
            },
        )
        .await;
        let eyes = mesh.settled(&layout).await;
        match id {
            // A ring is one cycle, in which no edge of the hierarchy asks for anything.
            "apart" | "down" => assert!((distance(&eyes, 5, 6) - 30.0).abs() < OFF),
            "red" => assert!([2, 3].iter().all(|node| distance(&eyes, 1, *node) < 12.0 + OFF)),
            "room" => {
                let overlap = (0..12).any(|a| (0..a).any(|b| distance(&eyes, a, b) < 3.0 - OFF));
                assert!(!overlap);
            }
            _ => {
                let out = (0..12).filter(|node| {
                    let [x, y] = eyes.place(*node).unwrap();
                    (x - 5.0).hypot(y) > 60.0 + OFF
                });
                assert_eq!(out.count(), 0);
            }
        }
    }
}

#[tokio::test]
async fn nodes_that_match_join_and_those_that_go_do_no_harm() {
    let mesh = Mesh::start(TestGraph::ring(12, 0)).await;
    let layout = mesh.layout().await.name;
    let made = mesh.constrain(&layout, "", level(team("red"))).await;
    assert_eq!(made.node_count, 0);
    mesh.settled(&layout).await;
    // The layout has not followed properties before.
    for node in ["n0", "n4"] {
        mesh.graph.set_team(node, "red");
    }
    mesh.until_held(&made.name, 2).await;
    mesh.graph.add_node("n12", "n8");
    mesh.graph.set_team("n12", "red");
    mesh.until_held(&made.name, 3).await;
    let eyes = mesh.settled(&layout).await;
    assert!((height(&eyes, 0) - height(&eyes, 4)).abs() < OFF);
    assert!((height(&eyes, 0) - height(&eyes, 12)).abs() < OFF);

    mesh.graph.delete_node("n4");
    mesh.graph.set_team("n0", "blue");
    mesh.until_held(&made.name, 1).await;
    mesh.settled(&layout).await;
}

#[tokio::test]
async fn pins_win_over_constraints() {
    let mesh = Mesh::start(TestGraph::ring(12, 0)).await;
    let layout = mesh.layout().await.name;
    let node = NodePlacement { node: Some(Node::Key("n0".into())), position: Some(point(3.0, 44.0)) };
    let pin = PinNodesRequest { name: layout.clone(), nodes: vec![node] };
    mesh.client.clone().pin_nodes(pin).await.unwrap();
    let made = mesh.constrain(&layout, "row", level(keys(&["n0", "n3"]))).await;
    let ball = Ball { center: Some(point(0.0, 0.0)), radius: 10.0 };
    let fence =
        Rule::Boundary(BoundaryRule { nodes: Some(keys(&["n0", "n5"])), region: Some(Region::Ball(ball)) });
    let fence = mesh.constrain(&layout, "fence", fence).await;
    mesh.until_held(&made.name, 2).await;
    mesh.until_held(&fence.name, 2).await;
    let eyes = mesh.settled(&layout).await;
    assert_eq!(eyes.place(0), Some([3.0, 44.0]));
    assert!((height(&eyes, 3) - 44.0).abs() < OFF, "the row goes through its pinned node");
    let [x, y] = eyes.place(5).unwrap();
    assert!(x.hypot(y) < 10.0 + OFF);
}

#[tokio::test]
async fn an_update_writes_what_it_names_and_one_of_two_is_late() {
    let mesh = Mesh::start(TestGraph::ring(6, 0)).await;
    let layout = mesh.layout().await.name;
    let made = mesh.constrain(&layout, "c", apart("n0", "n1", 20.0)).await;
    let update = |constraint: Constraint| UpdateConstraintRequest {
        constraint: Some(Constraint { name: made.name.clone(), ..constraint }),
        update_mask: None,
    };
    let weaker = Constraint { strength: Some(0.5), etag: made.etag.clone(), ..Constraint::default() };
    let changed = mesh.client.clone().update_constraint(update(weaker.clone())).await.unwrap().into_inner();
    assert_eq!((changed.strength, changed.rule.clone()), (Some(0.5), made.rule.clone()));
    assert_ne!(changed.etag, made.etag);
    let status = mesh.client.clone().update_constraint(update(weaker)).await.unwrap_err();
    assert_eq!(reason(&status), (Code::Aborted, "ETAG_MISMATCH".into()));
    let longer =
        Constraint { rule: Some(apart("n0", "n1", 50.0)), strength: Some(1.0), ..Constraint::default() };
    mesh.client.clone().update_constraint(update(longer)).await.unwrap();
    let mut eyes = mesh.look(&layout).await;
    eyes.until_frame(|eyes| (distance(eyes, 0, 1) - 50.0).abs() < OFF).await;
    let other = Constraint { rule: Some(level(keys(&["n0"]))), ..Constraint::default() };
    let status = mesh.client.clone().update_constraint(update(other)).await.unwrap_err();
    assert_eq!(reason(&status), (Code::InvalidArgument, "INVALID_FIELD".into()));
}

#[tokio::test]
async fn creating_twice_with_one_request_id_creates_once() {
    let mesh = Mesh::start(TestGraph::ring(6, 0)).await;
    let layout = mesh.layout().await.name;
    let mut request = create(&layout, "", apart("n0", "n1", 20.0));
    request.request_id = "7d7f5cc4-2a4c-4b39-9e4b-3f0f6d2f1a13".into();
    let first = mesh.client.clone().create_constraint(request.clone()).await.unwrap().into_inner();
    let again = mesh.client.clone().create_constraint(request.clone()).await.unwrap().into_inner();
    assert_eq!(first, again);
    request.constraint.as_mut().unwrap().display_name = "other".into();
    let status = mesh.client.clone().create_constraint(request).await.unwrap_err();
    assert_eq!(reason(&status), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
}

#[tokio::test]
async fn lists_of_constraints_go_on_page_by_page_up_to_the_limit() {
    let options = weft_compute::Options { max_constraints_per_layout: 5, ..crate::mesh::quick() };
    let mesh = Mesh::start_with(TestGraph::ring(6, 0), options).await;
    let layout = mesh.layout().await.name;
    for id in ["c", "a", "e", "b", "d"] {
        mesh.constrain(&layout, id, apart("n0", "n1", 20.0)).await;
    }
    let mut request =
        ListConstraintsRequest { parent: layout.clone(), page_size: 2, page_token: String::new() };
    let mut names = Vec::new();
    loop {
        let page = mesh.client.clone().list_constraints(request.clone()).await.unwrap().into_inner();
        names.extend(page.constraints.into_iter().map(|constraint| constraint.name));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(names, ["a", "b", "c", "d", "e"].map(|id| format!("{layout}/constraints/{id}")));
    let refused = async |id: &str| {
        let request = create(&layout, id, apart("n0", "n1", 20.0));
        reason(&mesh.client.clone().create_constraint(request).await.unwrap_err())
    };
    assert_eq!(refused("f").await, (Code::ResourceExhausted, "TOO_MANY_CONSTRAINTS".into()));
    let delete = DeleteConstraintRequest { name: names[0].clone(), etag: String::new() };
    mesh.client.clone().delete_constraint(delete).await.unwrap();
    assert_eq!(refused("b").await, (Code::AlreadyExists, "CONSTRAINT_ALREADY_EXISTS".into()));
}

#[tokio::test]
async fn what_no_layout_can_keep_is_refused() {
    let mesh = Mesh::start(TestGraph::ring(6, 0)).await;
    let layout = mesh.layout().await.name;
    let strength = |strength| {
        let mut request = create(&layout, "c", apart("n0", "n1", 20.0));
        request.constraint.as_mut().unwrap().strength = Some(strength);
        request
    };
    let flat =
        AlignmentRule { nodes: Some(keys(&["n0"])), direction: Some(Point::default()), ..Default::default() };
    let cases = [
        strength(0.0),
        strength(1.5),
        strength(f64::NAN),
        create(&layout, "c", apart("n0", "n1", f64::INFINITY)),
        create(&layout, "c", apart("n0", "n1", -1.0)),
        create(&layout, "c", apart("", "n1", 1.0)),
        create(&layout, "c", Rule::Alignment(flat)),
        create(&layout, "c", Rule::Distance(DistanceRule { pairs: Vec::new(), distance: 1.0 })),
        create(&layout, "C", apart("n0", "n1", 1.0)),
        CreateConstraintRequest {
            parent: layout.clone(),
            constraint: Some(Constraint::default()),
            ..Default::default()
        },
        CreateConstraintRequest { parent: layout.clone(), ..Default::default() },
    ];
    for request in cases {
        let status = mesh.client.clone().create_constraint(request.clone()).await.unwrap_err();
        assert_eq!(reason(&status), (Code::InvalidArgument, "INVALID_FIELD".into()), "{request:?}");
    }
    let nowhere = create(&format!("{layout}x"), "c", apart("a", "b", 1.0));
    let status = mesh.client.clone().create_constraint(nowhere).await.unwrap_err();
    assert_eq!(reason(&status), (Code::NotFound, "LAYOUT_NOT_FOUND".into()));
}
