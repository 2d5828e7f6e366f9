//! Whether a layout does what it is told between two steps.

use weft_kernels::Edge;

use super::*;

fn topology(nodes: &[u32], revision: i64) -> Topology {
    let edges = nodes.windows(2).map(|pair| Edge { source: pair[0], target: pair[1], weight: 1.0 }).collect();
    Topology {
        nodes: Some(nodes.to_vec()),
        edges: Some(edges),
        regrouped: true,
        revision,
        kind: GraphKind::Knowledge,
    }
}

fn setup(saved: Option<Saved>) -> Setup {
    Setup {
        dim: Dim::Two,
        seed: 7,
        params: Params::default(),
        constraints: Vec::new(),
        version: 1,
        pins: Pins::default(),
        device: weft_kernels::Device::Cpu,
        max_pins: 3,
        saved,
    }
}

const NODES: [u32; 4] = [1, 2, 5, 9];

fn engine() -> Engine {
    Engine::new(setup(None), &topology(&NODES, 1)).unwrap()
}

fn settle(engine: &mut Engine) {
    while engine.moves() {
        engine.tick();
    }
}

fn obey(engine: &mut Engine, command: Command) {
    assert!(engine.obey(command, &|| topology(&NODES, 1)).is_none());
}

fn pin(engine: &mut Engine, nodes: &[(u32, Option<Point>)]) -> Answer {
    let (answer, mut reply) = tokio::sync::oneshot::channel();
    let command = Command::Pin { nodes: nodes.to_vec(), answer };
    engine.obey(command, &|| topology(&NODES, 1)).unwrap().send();
    reply.try_recv().unwrap()
}

fn unpin(engine: &mut Engine, nodes: Option<Vec<u32>>) -> Answer {
    let (answer, mut reply) = tokio::sync::oneshot::channel();
    engine.obey(Command::Unpin { nodes, answer }, &|| topology(&NODES, 1)).unwrap().send();
    reply.try_recv().unwrap()
}

#[test]
fn it_settles_and_wakes() {
    let mut engine = engine();
    assert!(engine.moves());
    settle(&mut engine);
    let ticks = engine.ticks();
    assert!(ticks > 0);
    engine.tick();
    assert_eq!(engine.ticks(), ticks, "a settled layout makes no steps");

    engine.set_params(Params::default(), 2).unwrap();
    assert!(!engine.moves(), "the same parameters do not wake it");
    engine.set_params(Params { gravity: 1.0, ..Params::default() }, 3).unwrap();
    assert!(engine.moves());
    settle(&mut engine);
    obey(&mut engine, Command::Reheat { reset: false });
    assert!(engine.moves());
    settle(&mut engine);
    obey(&mut engine, Command::Start);
    assert!(engine.moves());
    settle(&mut engine);
    engine.follow(&topology(&[1, 2, 5, 9, 12], 2)).unwrap();
    assert!(engine.moves());
}

#[test]
fn a_restored_layout_rests_where_it_was() {
    let mut first = engine();
    settle(&mut first);
    let snapshot = first.snapshot().unwrap();
    let saved = |settled, version| {
        crate::domain::saved::decode(&crate::domain::saved::encode(settled, version, snapshot.columns()))
            .unwrap()
    };
    let mut again = Engine::new(setup(Some(saved(true, 1))), &topology(&NODES, 1)).unwrap();
    assert!(!again.moves());
    let restored = again.snapshot().unwrap();
    assert_eq!(restored.columns().positions, snapshot.columns().positions);
    assert_eq!(restored.columns().tick, first.ticks());
    obey(&mut again, Command::Drag { hand: 1, node: 5, position: Some([3.0, 3.0, 0.0]) });
    assert!(again.moves(), "a hand wakes it");

    for (what, saved, revision) in [
        ("it was not settled", saved(false, 1), 1),
        ("other parameters", saved(true, 0), 1),
        ("another graph", saved(true, 1), 2),
    ] {
        let other = Engine::new(setup(Some(saved)), &topology(&NODES, revision)).unwrap();
        assert!(other.moves(), "{what}");
    }
    let fewer = Engine::new(setup(Some(saved(true, 1))), &topology(&NODES[1..], 1)).unwrap();
    assert!(fewer.moves());
}

#[test]
fn pinned_nodes_stay_and_are_counted() {
    let mut engine = engine();
    assert_eq!(pin(&mut engine, &[(5, Some([4.0, -3.0, 8.0])), (9, None)]), Ok(2));
    settle(&mut engine);
    assert_eq!(engine.place(5), Some([4.0, -3.0, 0.0]), "a plane has no third coordinate");
    assert_eq!(engine.pins().0.keys().copied().collect::<Vec<_>>(), [5, 9]);

    assert_eq!(pin(&mut engine, &[(1, None), (77, None)]), Err(Refusal::UnknownNode(77)));
    assert_eq!(engine.pins().0.len(), 2, "all or nothing");
    assert_eq!(pin(&mut engine, &[(1, None), (2, None)]), Err(Refusal::TooManyPins));
    assert_eq!(unpin(&mut engine, Some(vec![5, 1])), Ok(1));
    assert_eq!(unpin(&mut engine, Some(vec![77])), Err(Refusal::UnknownNode(77)));
    assert_eq!(unpin(&mut engine, None), Ok(0));

    pin(&mut engine, &[(5, None), (9, None)]).unwrap();
    engine.follow(&topology(&[1, 2, 9], 2)).unwrap();
    assert_eq!(engine.pins().0.keys().copied().collect::<Vec<_>>(), [9], "a pin goes with its node");
}

#[test]
fn a_node_is_held_until_the_last_hand_lets_go() {
    let mut engine = engine();
    pin(&mut engine, &[(2, Some([0.0; 3]))]).unwrap();
    obey(&mut engine, Command::Drag { hand: 1, node: 2, position: Some([9.0, 9.0, 0.0]) });
    obey(&mut engine, Command::Drag { hand: 2, node: 2, position: None });
    obey(&mut engine, Command::Drag { hand: 2, node: 77, position: None });
    settle(&mut engine);
    obey(&mut engine, Command::Leave { hand: 1 });
    assert_eq!(engine.pins().0.get(&2), Some(&[0.0; 3]), "the other hand still holds it");
    obey(&mut engine, Command::Release { hand: 2, node: 2 });
    assert_eq!(engine.place(2), Some([9.0, 9.0, 0.0]));
    assert_eq!(engine.pins().0.get(&2), Some(&[9.0, 9.0, 0.0]), "it is pinned where it was dropped");
    obey(&mut engine, Command::Leave { hand: 5 });
}

#[test]
fn placing_anew_forgets_all_but_pins_and_hands() {
    let mut engine = engine();
    let begin = engine.snapshot().unwrap();
    settle(&mut engine);
    let ticks = engine.ticks();
    pin(&mut engine, &[(5, Some([4.0, 4.0, 0.0]))]).unwrap();
    obey(&mut engine, Command::Drag { hand: 1, node: 9, position: Some([-4.0, 4.0, 0.0]) });
    obey(&mut engine, Command::Reheat { reset: true });
    let anew = engine.snapshot().unwrap();
    for axis in 0..2 {
        assert_eq!(anew.columns().positions[axis][..2], begin.columns().positions[axis][..2]);
    }
    assert_eq!((engine.place(5), engine.place(9)), (Some([4.0, 4.0, 0.0]), Some([-4.0, 4.0, 0.0])));
    assert_eq!(anew.columns().membership, begin.columns().membership);
    assert_eq!(engine.ticks(), ticks);
    assert!(engine.moves());
}

#[test]
fn snapshots_are_numbered_and_know_their_membership() {
    let mut engine = engine();
    let first = engine.snapshot().unwrap();
    engine.follow(&Topology { nodes: None, edges: None, ..topology(&[], 2) }).unwrap();
    let second = engine.snapshot().unwrap();
    assert_eq!((first.columns().sequence, second.columns().sequence), (1, 2));
    assert_eq!(first.columns().membership, second.columns().membership);
    assert_eq!(second.columns().revision, 2);
    assert_eq!(second.columns().kind, RECORD_KNOWLEDGE);
    engine.follow(&Topology { kind: GraphKind::Workflow, ..topology(&[3], 3) }).unwrap();
    let third = engine.snapshot().unwrap();
    assert_ne!(third.columns().membership, second.columns().membership);
    assert_eq!((&*third.columns().ids, third.columns().kind), (&[3][..], 0));
    engine.follow(&topology(&[], 4)).unwrap();
    assert_eq!(engine.snapshot().unwrap().columns().bounds, ([0.0; 3], [0.0; 3]));
}
