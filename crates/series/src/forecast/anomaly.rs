//! When a series was not what it usually is.

use super::fit::Fit;

/// No score is larger.
const MOST_SCORE: f64 = 1e6;

/// A while in which a series was not what it usually is, always on the same side. Times are in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anomaly {
    /// The first value that was not.
    pub start: i64,
    /// The last value that was not.
    pub end: i64,
    /// When it was furthest off.
    pub peak: i64,
    /// How far off it was then, in robust standard deviations; a million at most.
    pub score: f64,
    /// What it should have been then.
    pub expected: f64,
    /// What it was.
    pub seen: f64,
}

/// A value that is off.
struct Off {
    time: i64,
    above: bool,
    score: f64,
    expected: f64,
    seen: f64,
}

impl Fit {
    /// How far the value at a step is from what is expected there, in robust standard deviations of what is left
    /// without trend and season: a robust z-score (Iglewicz and Hoaglin 1993).
    fn off(&self, place: usize, seen: f64) -> Off {
        let time = self.steps.time(place);
        let expected = self.parts.expected(place, time);
        let away = self.scale.down(seen) - expected;
        let score = (away.abs() / self.parts.noise).min(MOST_SCORE);
        Off { time, above: away > 0.0, score, expected: self.scale.up(expected), seen }
    }

    /// Where the values from which was learned have a score of `least` or more, from a time on; by time. As Canny
    /// (1986) follows edges, it is the values beside that belong to it down to half of that score; a gap, and the other
    /// side, end it.
    pub fn anomalies(&self, values: &[f64], from: i64, least: f64) -> Vec<Anomaly> {
        let mut anomalies = Vec::new();
        let mut open: Option<Anomaly> = None;
        let mut side = false;
        let mut close = |open: &mut Option<Anomaly>| {
            anomalies.extend(open.take().filter(|anomaly| anomaly.score >= least));
        };
        for (place, seen) in values.iter().take(self.steps.count).enumerate() {
            if self.steps.time(place) < from {
                continue;
            }
            let off = seen.is_finite().then(|| self.off(place, *seen)).filter(|off| off.score >= least / 2.0);
            let Some(off) = off else {
                close(&mut open);
                continue;
            };
            if side != off.above {
                close(&mut open);
            }
            side = off.above;
            let start = open.map_or(off.time, |anomaly| anomaly.start);
            open = Some(match open {
                Some(anomaly) if anomaly.score >= off.score => Anomaly { end: off.time, ..anomaly },
                _ => Anomaly {
                    start,
                    end: off.time,
                    peak: off.time,
                    score: off.score,
                    expected: off.expected,
                    seen: off.seen,
                },
            });
        }
        close(&mut open);
        anomalies
    }
}
