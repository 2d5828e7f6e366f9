//! Whether constraints are kept, changed and refused as the contract says.

use weft_proto::weft::compute::v1::{
    AlignmentRule, Ball, BoundaryRule, Box as BoxRegion, ClusterRule, DistanceRule, NodeKeys, PropertyMatch,
};

use super::*;

fn at(x: f32, y: f32, z: f32) -> Point {
    Point { x, y, z }
}

fn matching(property: &str, value: Kind) -> NodeSet {
    let value = Some(prost_types::Value { kind: Some(value) });
    NodeSet { nodes: Some(Nodes::Property(PropertyMatch { property: property.into(), value })) }
}

fn aligned(nodes: NodeSet, direction: Option<Point>) -> Constraint {
    let rule = AlignmentRule { nodes: Some(nodes), direction, ..AlignmentRule::default() };
    Constraint { name: "c".into(), etag: "3".into(), rule: Some(Rule::Alignment(rule)), ..Default::default() }
}

fn apart(distance: f64) -> Constraint {
    let rule = Rule::Distance(DistanceRule { distance, ..DistanceRule::default() });
    Constraint { name: "d".into(), uid: "01234567-89".into(), rule: Some(rule), ..Default::default() }
}

#[test]
fn constraints_come_back_by_id() {
    let layout = LayoutName::parse("projects/p/graphs/g/layouts/l", "name").unwrap();
    let name = |id: &str| ConstraintName { layout: layout.clone(), constraint: id.into() };
    let mut constraints = Constraints::default();
    constraints.add(&name("d"), apart(2.0)).unwrap();
    constraints
        .add(&name("c"), aligned(matching("team", Kind::BoolValue(true)), Some(at(1.0, 0.0, 0.0))))
        .unwrap();
    assert!(matches!(constraints.add(&name("c"), apart(1.0)), Err(Error::ConstraintExists(_))));
    assert_eq!(Constraints::decode(&constraints.encode()), Some(constraints.clone()));
    assert_eq!(constraints.properties(), ["team"]);
    assert_eq!(Constraints::decode(&Bytes::new()), Some(Constraints::default()));
    assert_eq!(Constraints::decode(&Bytes::from_static(b"\xff")), None);
    let kept = constraints.get(&name("c")).unwrap();
    assert_eq!(shown(&layout, kept, 7).name, "projects/p/graphs/g/layouts/l/constraints/c");
    assert_eq!(shown(&layout, kept, 7).strength, Some(1.0));
    constraints.remove(&name("c"));
    assert!(matches!(constraints.get(&name("c")), Err(Error::ConstraintNotFound(_))));
}

#[test]
fn a_mask_says_what_is_written_and_the_kind_stays() {
    let kept = Constraint { strength: Some(0.5), ..apart(2.0) };
    let mask = |path: &str| FieldMask { paths: vec![path.into()] };
    let named = Constraint { display_name: "n".into(), ..Constraint::default() };
    let all_given = updated(&kept, &named, None).unwrap();
    assert_eq!((all_given.display_name.as_str(), all_given.strength), ("n", Some(0.5)));
    assert_eq!(updated(&kept, &named, Some(&mask("strength"))).unwrap().strength, None);
    let longer = updated(&kept, &apart(9.0), Some(&mask("distance.distance"))).unwrap();
    assert_eq!((longer.rule, longer.strength), (apart(9.0).rule, Some(0.5)));
    let other = aligned(matching("team", Kind::BoolValue(true)), Some(at(1.0, 0.0, 0.0)));
    for mask in [None, Some(mask("*")), Some(mask("alignment"))] {
        assert!(updated(&kept, &other, mask.as_ref()).is_err());
    }
    assert!(updated(&kept, &kept, Some(&mask("uid"))).is_err());
    assert!(updated(&kept, &named, Some(&mask("distance"))).is_err(), "a rule cannot be taken away");
}

#[test]
fn an_etag_is_of_one_version_of_one_constraint() {
    let kept = Constraint { etag: "4".into(), ..apart(1.0) };
    assert_eq!(etag(&kept), "4-01234567");
    assert!(check_etag(&kept, "").is_ok() && check_etag(&kept, "4-01234567").is_ok());
    assert!(matches!(check_etag(&kept, "3-01234567"), Err(Error::EtagMismatch { .. })));
}

#[test]
fn what_no_layout_can_keep_is_named() {
    let keys = NodeSet { nodes: Some(Nodes::Keys(NodeKeys { keys: vec!["a".into()] })) };
    let far = Some(at(2e7, 0.0, 0.0));
    let bounded = |region| Constraint {
        rule: Some(Rule::Boundary(BoundaryRule { nodes: None, region: Some(region) })),
        ..Constraint::default()
    };
    let clustered = |members, center| Constraint {
        rule: Some(Rule::Cluster(ClusterRule { members: Some(members), center, ..ClusterRule::default() })),
        ..Constraint::default()
    };
    let inverted = RegionRule::Box(BoxRegion { min: Some(at(1.0, 0.0, 0.0)), max: Some(at(0.0, 0.0, 0.0)) });
    let cases = [
        (Constraint::default(), "constraint.rule"),
        (Constraint { strength: Some(1e-300), ..apart(1.0) }, "constraint.strength"),
        (aligned(keys.clone(), Some(at(0.0, 0.0, 5.0))), "constraint.alignment.direction"),
        (
            aligned(matching("x", Kind::NullValue(0)), Some(at(1.0, 0.0, 0.0))),
            "constraint.alignment.nodes.property.value",
        ),
        (bounded(inverted), "constraint.boundary.box"),
        (bounded(RegionRule::Ball(Ball { center: far, radius: 1.0 })), "constraint.boundary.center"),
        (clustered(Members::Nodes(keys), far), "constraint.cluster.center"),
        (
            clustered(Members::GroupByProperty("x".into()), Some(at(0.0, 0.0, 0.0))),
            "constraint.cluster.center",
        ),
    ];
    for (constraint, expected) in cases {
        match check(&constraint, Dim::Two) {
            Err(Error::BadField { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let deep = aligned(matching("x", Kind::NumberValue(2.0)), Some(at(0.0, 0.0, 5.0)));
    assert!(check(&deep, Dim::Three).is_ok());
}
