//! What is thinned out next: segments that are due, and those that were thinned out before and are small beside them,
//! so that old times do not end up in very many small segments.

use std::{collections::HashMap, sync::Arc};

use super::{
    policy::{Fate, Policies},
    segment::Segment,
    thin::CHUNK_ROWS,
};

/// So many segments are passed over at most: neighbours were written near each other, and there may be thousands.
const PASSED: usize = 64;

/// Segments that become others, and what becomes of their series, by policy.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// In the order in which they were written.
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) fates: HashMap<u32, Fate>,
    first: i64,
    last: i64,
    /// Samples of those that are due.
    due: u64,
    /// Samples of those that are taken along.
    along: u64,
}

/// What becomes of the series of a segment, by policy.
pub(super) fn fates<'s>(
    segment: &'s Segment,
    policies: &'s Policies,
    now: i64,
) -> impl Iterator<Item = (u32, Fate)> + 's {
    segment.policies.iter().map(move |policy| {
        let fate = match policies.fate(*policy, now - segment.last) {
            Fate::Kept { every } => Fate::Kept { every: every.max(segment.resolution) },
            Fate::Forgotten => Fate::Forgotten,
        };
        (*policy, fate)
    })
}

fn is_due(segment: &Segment, policies: &Policies, now: i64) -> bool {
    fates(segment, policies, now).any(|(_, fate)| fate != Fate::Kept { every: segment.resolution })
}

/// Of segments in the order in which they were written those to be written anew first, of about so many samples.
pub(super) fn choose(segments: &[Arc<Segment>], policies: &Policies, now: i64, most: u64) -> Option<Run> {
    let due: Vec<bool> = segments.iter().map(|segment| is_due(segment, policies, now)).collect();
    if !due.contains(&true) {
        return None;
    }
    for begin in 0..segments.len() {
        if !due[begin] && segments[begin].resolution == 0 {
            continue;
        }
        let mut run = Run::default();
        let mut passed = 0;
        for (segment, is_due) in segments[begin..].iter().zip(&due[begin..]) {
            if run.take(segment, *is_due, policies, now, most) {
                continue;
            }
            passed += 1;
            if passed > PASSED || !run.may_pass(segment) {
                break;
            }
        }
        let begins = run.segments.iter().position(|segment| is_due(segment, policies, now));
        if let Some(begins) = begins {
            // What is large beside what is due stays where it is.
            if run.along > run.due {
                run.segments.drain(..begins);
            }
            return Some(run);
        }
    }
    None
}

impl Run {
    /// Takes a segment, if all of its series become what the same ones of the others do, and it is not too much.
    fn take(
        &mut self,
        segment: &Arc<Segment>,
        is_due: bool,
        policies: &Policies,
        now: i64,
        most: u64,
    ) -> bool {
        let becomes: Vec<(u32, Fate)> = fates(segment, policies, now).collect();
        let (first, last) = (self.first.min(segment.first), self.last.max(segment.last));
        if self.segments.is_empty() {
            (self.first, self.last) = (segment.first, segment.last);
        } else {
            let known = self.fates.iter().map(|(policy, fate)| (*policy, *fate));
            let intervals = known.chain(becomes.iter().copied()).map(|(_, fate)| match fate {
                Fate::Kept { every } => every,
                Fate::Forgotten => 0,
            });
            let span = intervals.max().unwrap_or_default().saturating_mul(CHUNK_ROWS as i64);
            let of_its_kind = if is_due { self.due } else { self.along };
            let fits =
                becomes.iter().all(|(policy, fate)| self.fates.get(policy).is_none_or(|to| to == fate));
            if !fits
                || (!is_due && segment.resolution == 0)
                || last - first > span
                || (of_its_kind > 0 && of_its_kind + segment.sample_count > most)
            {
                return false;
            }
            (self.first, self.last) = (first, last);
        }
        self.fates.extend(becomes);
        *(if is_due { &mut self.due } else { &mut self.along }) += segment.sample_count;
        self.segments.push(Arc::clone(segment));
        true
    }

    /// Whether later segments may be taken without this one. Of two samples of one time the later one counts, and what
    /// is made of a run is as late as its last segment: so it must not be of the same series and times.
    fn may_pass(&self, segment: &Segment) -> bool {
        let is_apart = segment.last < self.first || self.last < segment.first;
        is_apart || !segment.policies.iter().any(|policy| self.fates.contains_key(policy))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::Options;

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;

    fn policies() -> Policies {
        let options = serde_json::json!({
            "retention": "100days",
            "downsampling": ["7days:5m", "30days:1h"],
            "keep": { "raw": { "select": "raw", "downsampling": [] } },
        });
        Policies::of(&serde_json::from_value::<Options>(options).unwrap())
    }

    /// A segment of two hours that begins some hours ago.
    fn segment(
        uid: u128,
        hours_ago: i64,
        resolution: i64,
        sample_count: u64,
        policies: &[u32],
    ) -> Arc<Segment> {
        Arc::new(Segment {
            uid: Uuid::from_u128(uid),
            resolution,
            first: -hours_ago * HOUR,
            last: -hours_ago * HOUR + 2 * HOUR - 1,
            sample_count,
            policies: policies.to_vec(),
            ..Segment::default()
        })
    }

    fn chosen(segments: &[Arc<Segment>]) -> Vec<u128> {
        let run = choose(segments, &policies(), 0, 1_000);
        run.map_or(Vec::new(), |run| run.segments.iter().map(|segment| segment.uid.as_u128()).collect())
    }

    #[test]
    fn what_is_due_is_taken_with_its_small_neighbours_and_no_more_at_once_than_is_allowed() {
        let five = 300_000;
        assert_eq!(Duration::from_millis(five as u64), Duration::from_mins(5));
        // Nothing is due.
        assert!(chosen(&[segment(1, 100, 0, 480, &[0]), segment(2, 200, five, 24, &[0])]).is_empty());
        // One is, and what was thinned out before joins it; what is not old enough does not.
        let old = segment(1, 180, five, 24, &[0]);
        assert_eq!(chosen(&[old, segment(2, 178, 0, 480, &[0]), segment(3, 100, 0, 480, &[0])]), [1, 2]);
        // What is large beside it does not join.
        assert_eq!(chosen(&[segment(1, 180, five, 481, &[0]), segment(2, 178, 0, 480, &[0])]), [2]);
        // No more than 256 intervals become one: 21 hours.
        let many: Vec<_> = (0..20).map(|place| segment(place, 240 - 2 * place as i64, 0, 10, &[0])).collect();
        assert_eq!(chosen(&many), (0..10).collect::<Vec<_>>());
        // Nor more samples.
        let large: Vec<_> =
            (0..5).map(|place| segment(place, 240 - 2 * place as i64, 0, 400, &[0])).collect();
        assert_eq!(chosen(&large), [0, 1]);
        assert_eq!(chosen(&[segment(0, 240, 0, 5_000, &[0])]), [0]);
    }

    #[test]
    fn what_becomes_something_else_is_not_taken_and_passed_only_where_it_cannot_matter() {
        let five = 300_000;
        // Older than 30 days: by the hour; the others by five minutes.
        assert_eq!(chosen(&[segment(1, 31 * 24, five, 24, &[0]), segment(2, 8 * 24, 0, 480, &[0])]), [1]);
        // Series of another policy are passed over, unless samples of the same series are in both.
        let raw = segment(2, 190, 0, 100, &[1]);
        assert_eq!(chosen(&[segment(1, 190, 0, 100, &[0]), raw, segment(3, 188, 0, 100, &[0])]), [1, 3]);
        let late = Segment { first: -190 * HOUR, last: -HOUR, policies: vec![0], ..Segment::default() };
        let between = [segment(1, 190, 0, 100, &[0]), Arc::new(late), segment(3, 188, 0, 100, &[0])];
        assert_eq!(chosen(&between), [1]);
        // Nor over very many.
        let far = |count: usize| {
            let mut all = vec![segment(0, 190, five, 24, &[0])];
            all.extend((0..count).map(|_| segment(1, 190, 0, 100, &[1])));
            all.push(segment(2, 188, 0, 100, &[0]));
            chosen(&all)
        };
        assert_eq!((far(PASSED), far(PASSED + 1)), (vec![0, 2], vec![2]));
        // What is to be forgotten of a segment makes it due.
        let old = segment(1, 101 * 24, HOUR, 10, &[0]);
        assert_eq!(chosen(std::slice::from_ref(&old)), [1]);
        assert_eq!(fates(&old, &policies(), 0).collect::<Vec<_>>(), [(0, Fate::Forgotten)]);
        assert_eq!(fates(&old, &policies(), -95 * DAY).next(), Some((0, Fate::Kept { every: HOUR })));
    }
}
