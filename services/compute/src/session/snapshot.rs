//! One state of a layout as all its viewers share it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, Weak},
};

use bytes::Bytes;

use super::ranking::Ranking;
use crate::frames::{self, Columns, Corners, EncodeError, FrameEncoding, Grid, Selection, State, delta};

/// Earlier states that a snapshot tells the difference from at most. Viewers who keep up have one of
/// few; the others share a whole frame, so that no number of slow ones costs more encoding than this.
const MAX_DIFFERENCES: usize = 4;

/// Budgets whose frames are shared: others are encoded for each viewer.
const MAX_BUDGETS: usize = 8;

/// One state, never changed, and its encodings: each is made when the first viewer asks for it, and
/// then shared. A hundred viewers cost no more encoding than one.
#[derive(Debug)]
pub(crate) struct Snapshot {
    columns: Columns,
    grid: Grid,
    ranking: Arc<Ranking>,
    /// Frames by encoding, with and without ordinals.
    encoded: [OnceLock<Result<Bytes, EncodeError>>; 8],
    /// The state in steps of the grid.
    state: OnceLock<Arc<State>>,
    /// Frames of the first so many nodes, by encoding and budget.
    first: Mutex<Vec<((FrameEncoding, usize), First)>>,
    /// Frames of differences, by the number of the state that they build on.
    differences: Mutex<Vec<(u64, Difference)>>,
}

type First = Arc<OnceLock<Result<Bytes, EncodeError>>>;

/// Absent where no frame can tell it.
type Difference = Arc<OnceLock<Option<Bytes>>>;

/// States that a session keeps for viewers at most, whatever their number: each is up to 6 bytes for a node.
const KEPT: usize = 16;

/// The last states that viewers were shown, for the differences from them.
#[derive(Debug, Default)]
pub(super) struct States(Mutex<VecDeque<Arc<State>>>);

impl States {
    /// Keeps a state until so many later ones have been shown.
    pub(super) fn keep(&self, state: &Arc<State>) -> Weak<State> {
        let mut states = self.0.lock().expect("nobody panics with the lock");
        if !states.iter().any(|kept| Arc::ptr_eq(kept, state)) {
            if states.len() == KEPT {
                states.pop_front();
            }
            states.push_back(Arc::clone(state));
        }
        Arc::downgrade(state)
    }
}

/// Something that a layout must never show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the simulation gave a position that is not finite")]
pub(crate) struct NotFinite;

impl Snapshot {
    /// Takes a state in; `grid` is what its steps are of.
    ///
    /// # Errors
    /// Nothing that is not finite ever leaves a layout, so it is refused here.
    pub(crate) fn new(columns: Columns, grid: Grid) -> Result<Self, NotFinite> {
        let finite = |column: &Vec<f32>| column.iter().all(|value| value.is_finite());
        if columns.positions.iter().chain(&columns.velocities).all(finite) {
            Ok(Self {
                columns,
                grid,
                ranking: Arc::default(),
                encoded: Default::default(),
                state: OnceLock::new(),
                first: Mutex::default(),
                differences: Mutex::default(),
            })
        } else {
            Err(NotFinite)
        }
    }

    /// Says which of its nodes come first where a viewer wants only so many.
    pub(super) fn ranked(mut self, ranking: Arc<Ranking>) -> Self {
        self.ranking = ranking;
        self
    }

    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// All nodes; with their ordinals if it is a keyframe.
    pub(crate) fn frame(&self, encoding: FrameEncoding, key: bool) -> Result<Bytes, EncodeError> {
        let row = match encoding {
            FrameEncoding::Unspecified | FrameEncoding::ColumnsF32 => 0,
            FrameEncoding::ColumnsQ16 => 2,
            FrameEncoding::Record34 => 4,
            FrameEncoding::Delta => 6,
        };
        let selection = if key { Selection::Key } else { Selection::Following };
        let encode = || match encoding {
            FrameEncoding::Delta => Ok(delta::whole(&self.columns, self.state(), key)),
            _ => frames::encode(&self.columns, encoding, selection),
        };
        self.encoded[row + usize::from(key)].get_or_init(encode).clone()
    }

    /// What the next frame of [`FrameEncoding::Delta`] may build on.
    pub(crate) fn state(&self) -> &Arc<State> {
        self.state.get_or_init(|| Arc::new(State::of(&self.columns, self.grid)))
    }

    /// A frame for those who have the state `before`; `None` where they need a whole one.
    pub(crate) fn difference(&self, before: &State) -> Option<Bytes> {
        // One that none can be told of takes no other's place.
        if !self.state().follows(before) {
            return None;
        }
        let difference = {
            let mut differences = self.differences.lock().expect("nobody panics with the lock");
            let found = differences.iter().find(|(sequence, _)| *sequence == before.sequence);
            match found {
                Some((_, difference)) => Arc::clone(difference),
                None if differences.len() < MAX_DIFFERENCES => {
                    let difference = Difference::default();
                    differences.push((before.sequence, Arc::clone(&difference)));
                    difference
                }
                None => return None,
            }
        };
        // Without the lock: whoever wants another difference does not wait for this one.
        difference.get_or_init(|| delta::difference(&self.columns, before, self.state())).clone()
    }

    /// Whether it is known which of its nodes come first.
    pub(crate) fn is_ranked(&self) -> bool {
        self.ranking.knows(self.columns.ids.len())
    }

    /// The first so many nodes. Viewers with the same budget share the bytes.
    pub(crate) fn first(&self, encoding: FrameEncoding, most: usize) -> Result<Bytes, EncodeError> {
        let encode = || frames::encode(&self.columns, encoding, Selection::Cut(&self.ranking.of_all(most)));
        let shared = {
            let mut first = self.first.lock().expect("nobody panics with the lock");
            let found = first.iter().find(|(of, _)| *of == (encoding, most));
            match found {
                Some((_, shared)) => Arc::clone(shared),
                None if first.len() < MAX_BUDGETS => {
                    let shared = First::default();
                    first.push(((encoding, most), Arc::clone(&shared)));
                    shared
                }
                None => return encode(),
            }
        };
        shared.get_or_init(encode).clone()
    }

    /// The nodes in a box, or the first so many of them. Each viewer has its own box, so this is made for one.
    pub(crate) fn cut(
        &self,
        encoding: FrameEncoding,
        region: Corners,
        most: Option<usize>,
    ) -> Result<Bytes, EncodeError> {
        let inside = frames::inside(&self.columns, region);
        let indices = match most {
            Some(most) => self.ranking.of(inside, most),
            None => inside,
        };
        frames::encode(&self.columns, encoding, Selection::Cut(&indices))
    }

    /// The first encoding that can carry this graph; columns of 32-bit floats if none is asked for.
    ///
    /// # Errors
    /// Why the last one cannot.
    pub(crate) fn choose(&self, encodings: &[FrameEncoding]) -> Result<FrameEncoding, EncodeError> {
        let fits =
            |encoding: FrameEncoding| encoding != FrameEncoding::Record34 || self.columns.fits_records();
        match encodings.iter().copied().find(|encoding| fits(*encoding)) {
            Some(FrameEncoding::Unspecified) => Ok(FrameEncoding::ColumnsF32),
            Some(encoding) => Ok(encoding),
            None if encodings.is_empty() => Ok(FrameEncoding::ColumnsF32),
            None => Err(EncodeError::TooNarrow { ordinal: self.columns.ids.last().copied().unwrap_or(0) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(last: u32) -> Columns {
        Columns {
            ids: [1, last].into(),
            positions: [vec![0.0, 1.0], vec![0.0, 2.0], vec![]],
            bounds: ([0.0; 3], [1.0, 2.0, 0.0]),
            ..Columns::default()
        }
    }

    fn new(columns: Columns) -> Result<Snapshot, NotFinite> {
        let grid = Grid::of(columns.bounds);
        Snapshot::new(columns, grid)
    }

    #[test]
    fn viewers_share_the_bytes() {
        use FrameEncoding::{ColumnsF32, ColumnsQ16, Delta, Record34};
        let snapshot = new(columns(7)).unwrap();
        for encoding in [ColumnsF32, ColumnsQ16, Record34, Delta] {
            for key in [false, true] {
                let first = snapshot.frame(encoding, key).unwrap();
                let second = snapshot.frame(encoding, key).unwrap();
                assert_eq!(first.as_ptr(), second.as_ptr());
                let header = frames::Header::read(&first).unwrap();
                assert_eq!((header.encoding, header.has(frames::KEYFRAME)), (encoding, key));
            }
        }
    }

    #[test]
    fn viewers_with_the_same_state_share_its_difference_and_too_many_states_share_a_whole_frame() {
        let at = |sequence: u64| {
            let mut columns = Columns { sequence, ..columns(7) };
            columns.positions[0][0] = sequence as f32 / 100.0;
            Snapshot::new(columns, Grid::of(([0.0; 3], [1.0, 2.0, 0.0]))).unwrap()
        };
        let newest = at(50);
        let first = newest.difference(at(10).state()).unwrap();
        assert_eq!(newest.difference(at(10).state()).unwrap().as_ptr(), first.as_ptr());
        for sequence in 11..14 {
            assert!(newest.difference(at(sequence).state()).is_some());
        }
        assert_eq!(newest.difference(at(14).state()), None, "no more than so many are made");
        assert!(newest.difference(at(10).state()).is_some(), "those that are there are given");

        let mut reader = frames::Reader::default();
        reader.read(&at(10).frame(FrameEncoding::Delta, true).unwrap()).unwrap();
        let mut whole = reader.clone();
        let stepped = reader.read(&first).unwrap();
        let whole = whole.read(&newest.frame(FrameEncoding::Delta, false).unwrap()).unwrap();
        assert_eq!(stepped.positions, whole.positions);
        assert!((stepped.positions[0][0] - 0.5).abs() < 1e-4);
    }

    #[test]
    fn so_many_states_are_kept_and_no_more() {
        let states = States::default();
        let shown: Vec<_> = (0..=KEPT).map(|_| new(columns(7)).unwrap()).collect();
        let kept: Vec<_> = shown.iter().map(|snapshot| states.keep(snapshot.state())).collect();
        // Another viewer of the newest takes nobody's place.
        states.keep(shown[KEPT].state());
        drop(shown);
        let is_there: Vec<_> = kept.iter().map(|state| state.upgrade().is_some()).collect();
        assert!(!is_there[0] && is_there[1..].iter().all(|there| *there), "{is_there:?}");
    }

    #[test]
    fn the_first_encoding_that_can_carry_the_graph_is_chosen() {
        use FrameEncoding::{ColumnsF32, ColumnsQ16, Record34, Unspecified};
        let (small, large) = (new(columns(7)).unwrap(), new(columns(20_000)).unwrap());
        assert_eq!(small.choose(&[Record34, ColumnsQ16]), Ok(Record34));
        assert_eq!(large.choose(&[Record34, ColumnsQ16]), Ok(ColumnsQ16));
        assert_eq!(large.choose(&[]), Ok(ColumnsF32));
        assert_eq!(large.choose(&[Unspecified]), Ok(ColumnsF32));
        assert_eq!(large.choose(&[Record34]), Err(EncodeError::TooNarrow { ordinal: 20_000 }));
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        let mut bad = columns(7);
        bad.positions[1][1] = f32::NAN;
        assert_eq!(new(bad).unwrap_err(), NotFinite);
        let mut bad = columns(7);
        bad.velocities[0] = vec![0.0, f32::INFINITY];
        assert_eq!(new(bad).unwrap_err(), NotFinite);
    }
}
