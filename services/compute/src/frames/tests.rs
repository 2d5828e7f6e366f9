//! Whether every frame reads back as what it was made from, and nothing else reads as a frame.

use proptest::prelude::*;

use super::*;

/// States of up to 70 nodes whose ordinals are at most `most`.
fn states(most: u32) -> impl Strategy<Value = Columns> {
    let coordinate = -1.0e6_f32..1.0e6;
    let node = (
        0..=most,
        [coordinate.clone(), coordinate.clone(), coordinate],
        [-9.0_f32..9.0, -9.0..9.0, -9.0..9.0],
    );
    (proptest::collection::vec(node, 0..70), any::<bool>(), any::<(u32, u64, u64, i64)>()).prop_map(
        |(mut nodes, three_dimensions, (membership, sequence, tick, revision))| {
            nodes.sort_by_key(|node| node.0);
            nodes.dedup_by_key(|node| node.0);
            let column = |axis: usize| -> Vec<f32> {
                if axis == 2 && !three_dimensions {
                    vec![]
                } else {
                    nodes.iter().map(|node| node.1[axis]).collect()
                }
            };
            let speed = |axis: usize| -> Vec<f32> {
                if axis == 2 && !three_dimensions {
                    vec![]
                } else {
                    nodes.iter().map(|node| node.2[axis]).collect()
                }
            };
            let positions = [column(0), column(1), column(2)];
            let corner = |pick: fn(f32, f32) -> f32| -> [f32; 3] {
                std::array::from_fn(|axis| positions[axis].iter().copied().reduce(pick).unwrap_or(0.0))
            };
            Columns {
                ids: nodes.iter().map(|node| node.0).collect(),
                bounds: (corner(f32::min), corner(f32::max)),
                velocities: [speed(0), speed(1), speed(2)],
                positions,
                three_dimensions,
                kind: RECORD_KNOWLEDGE,
                membership,
                sequence,
                tick,
                revision,
            }
        },
    )
}

fn is_length(error: DecodeError) -> bool {
    matches!(error, DecodeError::Length { .. })
}

fn check_header(frame: &Frame, columns: &Columns, flags: u8) -> Result<(), TestCaseError> {
    let dimensions = if columns.three_dimensions { THREE_DIMENSIONS } else { 0 };
    prop_assert_eq!(frame.header.flags, flags | dimensions);
    prop_assert_eq!(frame.header.count as usize, frame.positions[0].len());
    prop_assert_eq!(frame.header.membership, columns.membership);
    prop_assert_eq!(frame.header.sequence, columns.sequence);
    prop_assert_eq!(frame.header.tick, columns.tick);
    prop_assert_eq!(frame.header.revision, columns.revision);
    prop_assert_eq!(frame.header.bounds, columns.bounds);
    Ok(())
}

proptest! {
    #[test]
    fn columns_of_floats_are_exact(columns in states(u32::MAX)) {
        let bytes = encode(&columns, FrameEncoding::ColumnsF32, Selection::Key).unwrap();
        let frame = decode(&bytes).unwrap();
        check_header(&frame, &columns, KEYFRAME | IDS)?;
        prop_assert_eq!(frame.ids.as_deref(), Some(&*columns.ids));
        prop_assert_eq!(&frame.positions, &columns.positions);

        let bytes = encode(&columns, FrameEncoding::Unspecified, Selection::Following).unwrap();
        let frame = decode(&bytes).unwrap();
        check_header(&frame, &columns, 0)?;
        prop_assert_eq!(bytes.len(), HEADER_BYTES + columns.ids.len() * 4 * columns.dimensions());
        prop_assert_eq!(&frame.ids, &None);
        prop_assert_eq!(&frame.positions, &columns.positions);
    }

    #[test]
    fn steps_are_off_by_no_more_than_stated(columns in states(u32::MAX)) {
        let bytes = encode(&columns, FrameEncoding::ColumnsQ16, Selection::Key).unwrap();
        let frame = decode(&bytes).unwrap();
        check_header(&frame, &columns, KEYFRAME | IDS)?;
        for axis in 0..columns.dimensions() {
            let (min, max) = (f64::from(columns.bounds.0[axis]), f64::from(columns.bounds.1[axis]));
            for (was, is) in columns.positions[axis].iter().zip(&frame.positions[axis]) {
                // Half a step, and what a float cannot tell at that distance from zero.
                let allowed = (max - min) / 131_070.0 + f64::from(was.abs()) * f64::from(f32::EPSILON);
                prop_assert!((f64::from(*was) - f64::from(*is)).abs() <= allowed, "{} became {}", was, is);
            }
        }
    }

    #[test]
    fn records_are_exact(columns in states(RECORD_MAX_ORDINAL)) {
        let bytes = encode(&columns, FrameEncoding::Record34, Selection::Key).unwrap();
        prop_assert_eq!(bytes.len(), HEADER_BYTES + columns.ids.len() * RECORD_BYTES);
        let frame = decode(&bytes).unwrap();
        check_header(&frame, &columns, KEYFRAME)?;
        prop_assert_eq!(frame.ids.as_deref(), Some(&*columns.ids));
        prop_assert_eq!(&frame.positions, &columns.positions);
        let motion = frame.motion.unwrap();
        prop_assert!(motion.kinds.iter().all(|kind| *kind == RECORD_KNOWLEDGE));
        prop_assert!(motion.distances.iter().all(|distance| *distance == f32::INFINITY));
        prop_assert!(motion.parents.iter().all(|parent| *parent == -1));
        prop_assert_eq!(&motion.velocities[..columns.dimensions()], &columns.velocities[..columns.dimensions()]);
    }

    #[test]
    fn a_cut_holds_what_is_inside_and_nothing_else(columns in states(RECORD_MAX_ORDINAL), a in -1.0e6_f32..0.0, b in 0.0_f32..1.0e6) {
        let indices = inside(&columns, ([a; 3], [b; 3]));
        for encoding in [FrameEncoding::ColumnsF32, FrameEncoding::ColumnsQ16, FrameEncoding::Record34, FrameEncoding::Delta] {
            let frame = decode(&encode(&columns, encoding, Selection::Cut(&indices)).unwrap()).unwrap();
            let ids = if encoding == FrameEncoding::Record34 { 0 } else { IDS };
            check_header(&frame, &columns, REGION | ids)?;
            let expected: Vec<u32> = (0..columns.ids.len())
                .filter(|at| (0..columns.dimensions()).all(|axis| (a..=b).contains(&columns.positions[axis][*at])))
                .map(|at| columns.ids[at])
                .collect();
            prop_assert_eq!(frame.ids, Some(expected));
        }
    }

    #[test]
    fn another_length_is_an_error(columns in states(RECORD_MAX_ORDINAL), cut in 1_usize..80) {
        for encoding in [FrameEncoding::ColumnsF32, FrameEncoding::ColumnsQ16, FrameEncoding::Record34] {
            let bytes = encode(&columns, encoding, Selection::Key).unwrap();
            let shorter = &bytes[..bytes.len().saturating_sub(cut)];
            prop_assert_eq!(decode(shorter).map_err(is_length), Err(true));
            let mut longer = bytes.to_vec();
            longer.resize(bytes.len() + cut, 0);
            prop_assert_eq!(decode(&longer).map_err(is_length), Err(true));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), encoding in 1_u8..5) {
        let _ = decode(&bytes);
        if bytes.len() >= HEADER_BYTES {
            bytes[..6].copy_from_slice(&[b'W', b'F', b'P', b'F', 1, encoding]);
            let _ = decode(&bytes);
        }
    }
}

fn two_nodes() -> Columns {
    Columns {
        ids: [1, 2].into(),
        positions: [vec![-1.0, 1.0], vec![0.5, 0.5], vec![]],
        velocities: [vec![0.0, 0.25], vec![0.0, 0.0], vec![]],
        kind: RECORD_KNOWLEDGE,
        membership: 7,
        sequence: 3,
        tick: 9,
        revision: 5,
        bounds: ([-1.0, 0.5, 0.0], [1.0, 0.5, 0.0]),
        three_dimensions: false,
    }
}

#[test]
fn the_bytes_are_those_of_the_document() {
    let bytes = encode(&two_nodes(), FrameEncoding::ColumnsQ16, Selection::Key).unwrap();
    let mut expected = b"WFPF".to_vec();
    expected.extend([1, 3, 3, 0]);
    expected.extend([2, 0, 0, 0, 7, 0, 0, 0]);
    expected.extend([3, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    for value in [-1.0_f32, 0.5, 0.0, 1.0, 0.5, 0.0] {
        expected.extend(value.to_le_bytes());
    }
    expected.extend([5, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([1, 0, 0, 0, 2, 0, 0, 0]);
    expected.extend([0, 0, 0xff, 0xff, 0, 0, 0, 0]);
    assert_eq!(bytes, expected);

    let bytes = encode(&two_nodes(), FrameEncoding::Record34, Selection::Key).unwrap();
    let second = &bytes[HEADER_BYTES + RECORD_BYTES..];
    assert_eq!(second[..2], [2, 0x40]);
    assert_eq!(second[2..6], 1.0_f32.to_le_bytes());
    assert_eq!(second[14..18], 0.25_f32.to_le_bytes());
    assert_eq!(second[26..30], f32::INFINITY.to_le_bytes());
    assert_eq!(second[30..], [0xff; 4]);
}

#[test]
fn a_record_is_refused_where_it_is_too_narrow() {
    let mut columns = two_nodes();
    columns.ids = [1, RECORD_MAX_ORDINAL].into();
    assert!(columns.fits_records());
    encode(&columns, FrameEncoding::Record34, Selection::Key).unwrap();
    columns.ids = [1, RECORD_MAX_ORDINAL + 1].into();
    assert!(!columns.fits_records());
    for selection in [Selection::Key, Selection::Following, Selection::Cut(&[0])] {
        assert_eq!(
            encode(&columns, FrameEncoding::Record34, selection),
            Err(EncodeError::TooNarrow { ordinal: 16_384 })
        );
    }
}

#[test]
fn what_is_not_a_frame_is_told_by_its_fault() {
    let good = encode(&two_nodes(), FrameEncoding::ColumnsF32, Selection::Key).unwrap().to_vec();
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        decode(&bad).unwrap_err()
    };
    assert_eq!(decode(&[]), Err(DecodeError::Length { expected: 64, found: 0 }));
    assert_eq!(with(0, b"X"), DecodeError::Magic);
    assert_eq!(with(4, &[2]), DecodeError::Version(2));
    assert_eq!(with(5, &[0]), DecodeError::Encoding(0));
    assert_eq!(with(5, &[9]), DecodeError::Encoding(9));
    assert!(matches!(with(8, &u32::MAX.to_le_bytes()), DecodeError::Length { .. }));
    assert_eq!(with(32, &f32::NAN.to_le_bytes()), DecodeError::NotFinite("bounds"));
    assert_eq!(with(64, &9_u32.to_le_bytes()), DecodeError::Order);
    assert_eq!(with(72, &f32::INFINITY.to_le_bytes()), DecodeError::NotFinite("a position"));
    let flags = KEYFRAME | IDS;
    assert_eq!(with(6, &[flags | 0x80]), DecodeError::Flags(flags | 0x80));
    assert_eq!(with(6, &[flags | DIFFERENCE]), DecodeError::Flags(flags | DIFFERENCE));
    // The reserved byte is no fault.
    let mut other = good.clone();
    other[7] = 1;
    assert_eq!(decode(&other).unwrap().positions, two_nodes().positions);

    let mut odd = two_nodes();
    odd.ids = [4].into();
    odd.positions = [vec![0.0], vec![0.5], vec![]];
    let mut padded = encode(&odd, FrameEncoding::ColumnsQ16, Selection::Key).unwrap().to_vec();
    decode(&padded).unwrap();
    *padded.last_mut().unwrap() = 1;
    assert_eq!(decode(&padded), Err(DecodeError::Padding));
}
