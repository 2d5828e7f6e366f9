//! How far a trigger has looked at what it watches, and when what it has found may start.

use bytes::Bytes;
use prost::Message;
use weft_store::{StoreError, TriggerRow};

use super::kept;

/// Events of one trigger that may start at once, in seconds of its rate.
const BURST_SECONDS: i64 = 10;
/// How long an event may wait for its turn, in microseconds; what would wait longer is refused.
const LONGEST_WAIT: i64 = 600_000_000;

/// A place in what a trigger watches.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct Place {
    /// The last that it has looked at: the number of an end or a message, or a revision; of alerts 1 once it has looked.
    #[prost(int64, tag = "1")]
    pub(crate) number: i64,
    /// The graph that the revision is of: another one of its name begins anew.
    #[prost(string, tag = "2")]
    pub(crate) uid: String,
    /// The alerts that it knows of.
    #[prost(string, repeated, tag = "3")]
    pub(crate) seen: Vec<String>,
}

impl Place {
    /// The place of a trigger; nothing where it watches nothing.
    pub(crate) fn read(row: &TriggerRow) -> Result<Option<Self>, StoreError> {
        row.place.as_ref().map(|bytes| kept::decode("triggers", "place", row.uid, bytes)).transpose()
    }

    pub(crate) fn bytes(&self) -> Bytes {
        self.encode_to_vec().into()
    }
}

/// Spreads the events of one trigger over time: so many in a second, and some more at once (the generic cell rate
/// algorithm, ITU-T I.371). Times are microseconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When all that has its turn by now would have started at an even pace.
    even: i64,
}

impl Pace {
    /// When an event of now may start; nothing where too many wait.
    pub(crate) fn turn(&mut self, now: i64, per_second: u32) -> Option<i64> {
        let interval = 1_000_000 / i64::from(per_second.max(1));
        let even = self.even.max(now) + interval;
        let turn = now.max(even - BURST_SECONDS * 1_000_000);
        if turn - now > LONGEST_WAIT {
            return None;
        }
        self.even = even;
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_spread_and_then_refused() {
        let (mut pace, now) = (Pace::default(), 1_800_000_000_000_000);
        let turns: Vec<Option<i64>> = (0..7_000).map(|_| pace.turn(now, 10)).collect();
        assert!(turns[..100].iter().all(|turn| *turn == Some(now)));
        assert_eq!(turns[100], Some(now + 100_000));
        assert_eq!(turns[109], Some(now + 1_000_000));
        assert_eq!(turns.iter().flatten().count(), 100 + 6_000);
        // What was refused takes nobody's turn.
        assert_eq!(pace.turn(now + 1_000_000, 10), Some(now + 600_100_000));
        assert_eq!(pace.turn(now + 10_000_000_000, 10), Some(now + 10_000_000_000));
    }

    #[test]
    fn places_read_back() {
        let place = Place { number: 7, uid: "graph".into(), seen: vec!["a".into()] };
        assert_eq!(Place::decode(place.bytes()), Ok(place));
        assert_eq!(Place::decode(Bytes::new()), Ok(Place::default()));
    }
}
