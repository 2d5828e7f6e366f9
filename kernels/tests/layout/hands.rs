//! Pinned and dragged nodes stay where they were put.

use crate::graphs::preferential;
use crate::{bits, settle, start};
use weft_kernels::{Dim, Error, WORLD_LIMIT};

#[test]
fn a_pinned_node_stays_until_unpinned() {
    for dim in [Dim::Two, Dim::Three] {
        let mut layout = start(dim, &preferential(300, 2, 1));
        layout.pin(5, Some([300.0, -200.0, 0.0])).unwrap();
        layout.pin(6, None).unwrap();
        let before = [layout.positions()[5], layout.positions()[6]];
        for _ in 0..200 {
            layout.tick();
        }
        assert_eq!(bits(&before), bits(&layout.positions()[5..7]));
        assert_eq!(layout.is_pinned(5), Ok(true));
        layout.unpin(5).unwrap();
        layout.tick();
        assert_ne!(bits(&before[..1]), bits(&layout.positions()[5..6]));
    }
}

#[test]
fn a_dragged_node_follows_the_hand_and_is_free_after_release() {
    let mut layout = start(Dim::Two, &preferential(300, 2, 1));
    settle(&mut layout);
    for step in 0..10 {
        let hand = [50.0 * step as f32, 20.0, 0.0];
        layout.drag(5, hand).unwrap();
        layout.tick();
        assert_eq!(bits(&[hand]), bits(&layout.positions()[5..6]));
    }
    layout.release(5).unwrap();
    settle(&mut layout);
    assert!(layout.positions()[5][0] < 400.0, "pulled back: {:?}", layout.positions()[5]);
}

#[test]
fn a_pinned_node_that_is_dragged_stays_where_it_is_dropped() {
    let mut layout = start(Dim::Two, &preferential(50, 2, 1));
    layout.pin(5, None).unwrap();
    layout.drag(5, [70.0, 7.0, 0.0]).unwrap();
    layout.release(5).unwrap();
    settle(&mut layout);
    assert_eq!(bits(&[[70.0, 7.0, 0.0]]), bits(&layout.positions()[5..6]));
}

#[test]
fn in_the_plane_depth_is_dropped() {
    let mut layout = start(Dim::Two, &preferential(50, 2, 1));
    layout.drag(5, [1.0, 2.0, 3.0]).unwrap();
    assert_eq!(bits(&[[1.0, 2.0, 0.0]]), bits(&layout.positions()[5..6]));
}

#[test]
fn impossible_hands_are_refused_and_change_nothing() {
    let mut layout = start(Dim::Three, &preferential(50, 2, 1));
    settle(&mut layout);
    let before = bits(layout.positions());
    for bad in [f32::NAN, f32::INFINITY, 2.0 * WORLD_LIMIT] {
        assert_eq!(layout.drag(5, [0.0, bad, 0.0]), Err(Error::Position { id: 5 }));
        assert_eq!(layout.pin(5, Some([bad, 0.0, 0.0])), Err(Error::Position { id: 5 }));
        assert_eq!(layout.restore(&[(4, [0.0; 3]), (5, [0.0, 0.0, bad])]), Err(Error::Position { id: 5 }));
    }
    assert_eq!(layout.drag(99, [0.0; 3]), Err(Error::UnknownNode { id: 99 }));
    assert_eq!(layout.unpin(99), Err(Error::UnknownNode { id: 99 }));
    assert!(layout.is_settled());
    assert_eq!(before, bits(layout.positions()));
}
