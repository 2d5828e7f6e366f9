//! Which of the requests that are refused are noted: ten of a minute at each trigger, so that whoever guesses fills
//! neither the disk nor the way to it.

use quick_cache::sync::Cache;
use uuid::Uuid;

/// Places of a minute.
const PLACES: u8 = 10;
/// Triggers that are remembered.
const KEPT: usize = 4_096;

/// The places that are taken, as bits, of the minute of each trigger.
pub(crate) struct Refusals(Cache<Uuid, (i64, u16)>);

impl Refusals {
    pub(crate) fn new() -> Self {
        Self(Cache::new(KEPT))
    }

    /// A place for one more, if it is free here. Other processes may have taken it: the disk says so.
    pub(crate) fn place(&self, trigger: Uuid, minute: i64, random: u8) -> Option<u8> {
        let taken = self.0.get(&trigger).filter(|(of, _)| *of == minute).map_or(0, |(_, taken)| taken);
        // Processes begin at different places, so that they seldom want the same one.
        let mut places = (0..PLACES).map(|step| (random % PLACES + step) % PLACES);
        let place = places.find(|place| taken & (1_u16 << place) == 0)?;
        let bit = 1_u16 << place;
        self.0.insert(trigger, (minute, taken | bit));
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_ten_places_at_each_trigger() {
        let refusals = Refusals::new();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let noted =
            |trigger, minute| (0..=255).filter(|_| refusals.place(trigger, minute, 7).is_some()).count();
        // One that is taken does not keep the next from being noted.
        assert_eq!((noted(one, 7), noted(one, 7), noted(other, 7), noted(one, 8)), (10, 0, 10, 10));
    }
}
