//! Whether frames of differences lead to the state that they were made from, and nothing else is read.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;

/// A state whose nodes are at these places; of as many dimensions as there are columns.
fn state_of(sequence: u64, positions: &[Vec<f32>]) -> Columns {
    let count = positions[0].len();
    let mut columns = Columns {
        ids: (0..count as u32).map(|id| id * 3 + 1).collect(),
        three_dimensions: positions.len() == 3,
        membership: 4,
        sequence,
        tick: sequence * 2,
        revision: 9,
        ..Columns::default()
    };
    for (axis, column) in positions.iter().enumerate() {
        columns.bounds.0[axis] = column.iter().copied().reduce(f32::min).unwrap_or(0.0);
        columns.bounds.1[axis] = column.iter().copied().reduce(f32::max).unwrap_or(0.0);
        columns.positions[axis].clone_from(column);
    }
    columns
}

/// States of up to 300 nodes that move by nothing, a little, or anywhere.
fn walks() -> impl Strategy<Value = Vec<Columns>> {
    let move_by = prop_oneof![6 => Just(0.0_f32), 6 => -0.3_f32..0.3, 1 => -900.0_f32..900.0];
    (2_usize..4, 0_usize..300)
        .prop_flat_map(move |(dimensions, count)| {
            let all = dimensions * count;
            let starts = proptest::collection::vec(-1.0e3_f32..1.0e3, all);
            let moves = proptest::collection::vec(move_by.clone(), all);
            (Just(dimensions), Just(count), starts, proptest::collection::vec(moves, 1..6))
        })
        .prop_map(|(dimensions, count, mut places, moves)| {
            let split = |places: &[f32]| -> Vec<Vec<f32>> {
                (0..dimensions).map(|axis| places[axis * count..][..count].to_vec()).collect()
            };
            let mut states = vec![state_of(1, &split(&places))];
            for (index, moves) in moves.iter().enumerate() {
                places.iter_mut().zip(moves).for_each(|(place, by)| *place += by);
                states.push(state_of(index as u64 * 3 + 5, &split(&places)));
            }
            states
        })
}

/// The frames that a viewer who takes every state gets, and the grid of each.
fn frames_of(walk: &[Columns]) -> Vec<bytes::Bytes> {
    let mut grid = Grid::default();
    let mut before: Option<State> = None;
    walk.iter()
        .map(|columns| {
            if !grid.suits(columns.bounds) {
                grid = Grid::of(columns.bounds);
            }
            let state = State::of(columns, grid);
            let bytes = match &before {
                None => delta::whole(columns, &state, true),
                Some(before) => delta::difference(columns, before, &state)
                    .unwrap_or_else(|| delta::whole(columns, &state, false)),
            };
            before = Some(state);
            bytes
        })
        .collect()
}

fn check(frame: &Frame, columns: &Columns) -> Result<(), TestCaseError> {
    prop_assert_eq!(frame.header.sequence, columns.sequence);
    prop_assert_eq!(frame.header.bounds, columns.bounds);
    let (min, max) = columns.bounds;
    let extent = (0..3).map(|axis| f64::from(max[axis]) - f64::from(min[axis])).fold(0.0, f64::max);
    for axis in 0..3 {
        prop_assert_eq!(frame.positions[axis].len(), columns.positions[axis].len());
        for (was, is) in columns.positions[axis].iter().zip(&frame.positions[axis]) {
            // A quarter of a pixel, and what a float cannot tell at that distance from zero.
            let allowed = extent / 3_840.0 / 4.0 + f64::from(was.abs()) * f64::from(f32::EPSILON);
            prop_assert!((f64::from(*was) - f64::from(*is)).abs() <= allowed, "{} became {}", was, is);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_frame_shows_its_state_within_a_quarter_of_a_pixel(walk in walks()) {
        let mut reader = Reader::default();
        for (bytes, columns) in frames_of(&walk).iter().zip(&walk) {
            check(&reader.read(bytes).unwrap(), columns)?;
        }
    }

    #[test]
    fn states_in_the_middle_may_be_left_out(walk in walks()) {
        let grid = Grid::of(([-4.0e3; 3], [4.0e3; 3]));
        let (first, last) = (&walk[0], &walk[walk.len() - 1]);
        let (before, now) = (State::of(first, grid), State::of(last, grid));
        let mut reader = Reader::default();
        reader.read(&delta::whole(first, &before, true)).unwrap();
        let stepped = reader.read(&delta::difference(last, &before, &now).unwrap()).unwrap();
        let whole = decode(&delta::whole(last, &now, true)).unwrap();
        prop_assert_eq!(stepped.positions, whole.positions);
    }

    #[test]
    fn blocks_carry_any_steps(before in proptest::collection::vec(any::<i16>(), 0..400), seed in any::<u64>(), spread in 0_u32..16) {
        let mut random = seed | 1;
        let now: Vec<i16> = before.iter().map(|step| {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            step.wrapping_add((random >> 40) as i16 >> spread)
        }).collect();
        let mut bytes = Vec::new();
        blocks::write(&mut bytes, Some(&before), &now);
        let (mut read, mut rest) = (before, &bytes[..]);
        blocks::read(&mut rest, &mut read).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert_eq!(read, now);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(walk in walks(), changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>()) {
        let mut reader = Reader::default();
        for bytes in frames_of(&walk) {
            let mut hostile = bytes.to_vec();
            for (at, byte) in &changes {
                let at = at.index(hostile.len());
                hostile[at] = *byte;
            }
            let _ = reader.clone().read(&hostile);
            hostile.truncate(cut.index(hostile.len()));
            let _ = reader.clone().read(&hostile);
            reader.read(&bytes).unwrap();
        }
    }
}

#[test]
fn a_grid_stays_until_it_is_too_coarse_too_fine_or_too_small() {
    let ball = |radius: f32| ([-radius; 3], [radius; 3]);
    let grid = Grid::of(ball(100.0));
    assert!(grid.suits(ball(100.0)) && grid.suits(ball(70.0)) && grid.suits(ball(190.0)));
    assert!(!grid.suits(ball(60.0)), "too coarse");
    assert!(!grid.suits(ball(210.0)), "finer than anybody sees");
    assert!(!grid.suits(([500.0; 3], [700.0; 3])), "out of reach");
    assert!(!Grid::default().suits(ball(1.0)));
}

#[test]
fn what_builds_on_another_frame_is_refused() {
    let at = |sequence: u64, x: f32| state_of(sequence, &[vec![0.0, x, 100.0], vec![0.0, 1.0, 2.0]]);
    let grid = Grid::of(([0.0; 3], [100.0; 3]));
    let (first, second, third) = (at(1, 1.0), at(2, 2.0), at(3, 3.0));
    let state = |columns: &Columns| State::of(columns, grid);
    let key = delta::whole(&first, &state(&first), true);
    let skipping = delta::difference(&third, &state(&second), &state(&third)).unwrap();
    let right = delta::difference(&third, &state(&first), &state(&third)).unwrap();
    let bare = delta::whole(&third, &state(&third), false);

    assert_eq!(decode(&right), Err(DecodeError::Base));
    assert_eq!(decode(&bare), Err(DecodeError::Base));
    let mut reader = Reader::default();
    reader.read(&key).unwrap();
    assert_eq!(reader.clone().read(&skipping), Err(DecodeError::Base));
    let shown = reader.clone().read(&right).unwrap();
    assert_eq!(shown.positions, reader.read(&bare).unwrap().positions);
    // After a fault there is nothing to build on.
    assert_eq!(reader.read(&skipping), Err(DecodeError::Base));
    assert_eq!(reader.read(&right), Err(DecodeError::Base));

    let mut others = third.clone();
    others.membership += 1;
    assert_eq!(delta::difference(&others, &state(&first), &state(&others)), None);
    let coarser = State::of(&third, Grid::of(([0.0; 3], [400.0; 3])));
    assert_eq!(delta::difference(&third, &state(&first), &coarser), None);
    assert_eq!(delta::difference(&first, &state(&third), &state(&first)), None, "time does not go back");
}

#[test]
fn what_is_not_a_block_is_told_by_its_fault() {
    let columns = state_of(1, &[vec![0.0, 1.0, 100.0], vec![0.0, 1.0, 2.0]]);
    let good = encode(&columns, FrameEncoding::Delta, Selection::Key).unwrap().to_vec();
    decode(&good).unwrap();
    let first_block = HEADER_BYTES + 12 + Grid::BYTES;
    let with = |at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[at] = byte;
        decode(&bad).unwrap_err()
    };
    assert_eq!(with(first_block, 0x11), DecodeError::Block);
    assert_eq!(with(first_block, 0x30), DecodeError::Block);
    assert_eq!(with(first_block - Grid::BYTES + 3, 0x7f), DecodeError::NotFinite("a grid"));
    assert_eq!(with(HEADER_BYTES, 9), DecodeError::Order);
    assert!(matches!(with(11, 0xff), DecodeError::Length { .. }));
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(decode(&longer), Err(DecodeError::Block));
    assert_eq!(decode(&good[..good.len() - 1]), Err(DecodeError::Block));
}

/// Frames of a small walk as other languages' readers are tested with: `tests/vectors`.
#[test]
fn the_vectors_for_other_languages_are_what_is_sent() {
    let mut text = String::from("[\n");
    for dimensions in [2, 3] {
        // Some rest, some creep, one jumps; more than one block.
        let place = |node: usize, axis: usize, time: usize| {
            let start = ((node * 7919 + axis * 104_729) % 2_000) as f32 - 1_000.0;
            match node {
                5 if time == 2 => start * -0.5,
                node if node < 40 => start,
                node => start + (time * (node % 4)) as f32 * 0.25,
            }
        };
        let walk: Vec<Columns> = (0..4)
            .map(|time| {
                let column = |axis| -> Vec<f32> { (0..150).map(|node| place(node, axis, time)).collect() };
                state_of(time as u64 + 1, &(0..dimensions).map(column).collect::<Vec<Vec<f32>>>())
            })
            .collect();
        let mut reader = Reader::default();
        for bytes in frames_of(&walk) {
            let frame = reader.read(&bytes).unwrap();
            let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").unwrap();
                hex
            });
            let comma = if dimensions == 3 && frame.header.sequence == 4 { "" } else { "," };
            let positions = &frame.positions[..dimensions];
            writeln!(text, " {{\"frame\": \"{hex}\", \"positions\": {positions:?}}}{comma}").unwrap();
        }
    }
    text.push_str("]\n");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/position-frames.json");
    if std::env::var_os("WEFT_WRITE_VECTORS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap() == text, "WEFT_WRITE_VECTORS=1 writes them anew");
}
