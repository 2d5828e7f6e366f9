//! Values that are to come, and when a series comes to a threshold.

use std::f64::consts::FRAC_PI_2;

use super::{fit::Fit, trend::Z};

/// At so many times, evenly apart, it is looked whether the threshold is reached.
const LOOKS: i64 = 4_096;

/// What a series is likely to be at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ahead {
    /// Milliseconds since 1970.
    pub time: i64,
    /// Most likely.
    pub value: f64,
    /// The ends of the interval in which it is with a probability of 95 in 100, if things go on as they did.
    pub lower: f64,
    /// The other end.
    pub upper: f64,
}

/// From which side a series comes to a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From below.
    Rising,
    /// From above.
    Falling,
}

/// When a series comes to a threshold, in milliseconds since 1970. Where it is there already, the time from which on was
/// looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// Most likely; nothing where that is not within the time that was looked at.
    pub time: Option<i64>,
    /// When the one end of the interval comes there.
    pub earliest: i64,
    /// When the other end does; nothing where that is not within that time.
    pub latest: Option<i64>,
}

impl Fit {
    /// What the series is likely to be at a time. It goes on from the level of its newest values with its slope, and
    /// comes again as it did. The interval has the spread of the values around their line, what is not known of the
    /// level, and what is not known of the slope, which grows with the time.
    pub fn ahead(&self, time: i64) -> Ahead {
        let parts = &self.parts;
        let place = time.saturating_sub(self.steps.first) as f64 / self.steps.step as f64;
        let far = place - parts.place;
        let season = parts.season.as_ref().map_or(0.0, |season| season.at(time));
        let value = parts.level + parts.line.slope * far + season;
        // The variance of a median of normal values is that of their mean times half of pi.
        let level = FRAC_PI_2 * (parts.line.alike / parts.newest).min(1.0);
        let noise = Z * parts.around_line * (1.0 + level).sqrt();
        let (less, more) = (parts.line.slope - parts.line.low, parts.line.high - parts.line.slope);
        let far = far.abs();
        Ahead {
            time,
            value: self.scale.up(value),
            lower: self.scale.up(value - noise.hypot(less * far)),
            upper: self.scale.up(value + noise.hypot(more * far)),
        }
    }

    /// When the series comes to a threshold, between two times; nothing where not even its interval does.
    pub fn crossing(&self, from: i64, until: i64, threshold: f64, direction: Direction) -> Option<Crossing> {
        let apart = (until.saturating_sub(from) / LOOKS).max(self.steps.step).max(1);
        let mut found: [Option<i64>; 3] = [None; 3];
        let mut before: Option<(i64, [f64; 3])> = None;
        let mut time = from;
        while time <= until && found.iter().any(Option::is_none) {
            let ahead = self.ahead(time);
            // How far each is beyond the threshold.
            let beyond = match direction {
                Direction::Rising => [ahead.upper, ahead.value, ahead.lower].map(|value| value - threshold),
                Direction::Falling => [ahead.lower, ahead.value, ahead.upper].map(|value| threshold - value),
            };
            for (which, now) in beyond.into_iter().enumerate() {
                if found[which].is_none() && now >= 0.0 {
                    found[which] = Some(match before {
                        Some((earlier, then)) => reached(earlier, then[which], time, now),
                        None => time,
                    });
                }
            }
            before = Some((time, beyond));
            if time == until {
                break;
            }
            time = time.saturating_add(apart).min(until);
        }
        let [earliest, time, latest] = found;
        Some(Crossing { earliest: earliest?, time, latest })
    }
}

/// When a line from below zero to what is not below it is at zero.
fn reached(from: i64, below: f64, to: i64, above: f64) -> i64 {
    // Halves: their difference may be larger than any number.
    let part = (-below / 2.0) / (above / 2.0 - below / 2.0);
    from + ((to - from) as f64 * part.clamp(0.0, 1.0)).round() as i64
}
