//! When a schedule ticks. Times are microseconds since 1970.
//!
//! A cron expression names times that clocks show, and clocks are changed. What is meant then is told by the hour: an
//! hour that is named (`30 2 * * *`) is meant once a day, so that a time which the clocks skip is kept when they are
//! put forward, and one that they show twice is kept at first; where any hour will do (`*/15 * * * *`), each that there
//! is counts, and there is nothing in one that there is not.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::{Cron, parser::CronParser};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use weft_kit::span;
use weft_proto::weft::trigger::v1::ScheduleSource;
use weft_store::Timestamp;

use super::zone::{self, When};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 3_600 * SECOND;
const YEAR: i64 = 366 * DAY;
/// What is made up for where nothing is said.
const CATCHUP: i64 = 60 * SECOND;
/// As far ahead as it is looked for a tick. A date that there is has one within 40 years (29 February on a Monday).
const FURTHEST: i64 = 41 * YEAR;

/// A schedule that ticks.
#[derive(Debug)]
pub(crate) struct Schedule {
    times: Times,
    start: Option<i64>,
    end: Option<i64>,
    /// How old a missed tick may be that is made up for.
    pub(crate) catchup: i64,
    jitter: i64,
}

#[derive(Debug)]
enum Times {
    Cron {
        cron: Box<Cron>,
        zone: Tz,
        /// Whether the hour is named.
        once_a_day: bool,
    },
    Every {
        from: i64,
        interval: i64,
    },
    At(Vec<i64>),
}

impl Schedule {
    /// Reads one that was created at an instant, or says which field is wrong.
    pub(crate) fn read(source: &ScheduleSource, created: i64) -> Result<Self, (&'static str, String)> {
        let start = source.start_time.as_ref().map(|time| Timestamp::from(time).as_micros());
        let given = [!source.cron.is_empty(), source.interval.is_some(), !source.ticks.is_empty()];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err(("cron", "give one of cron, interval and ticks".to_owned()));
        }
        if !source.time_zone.is_empty() && source.cron.is_empty() {
            return Err(("time_zone", "is for cron".to_owned()));
        }
        let times = if let Some(interval) = &source.interval {
            let interval = bounded("interval", span::micros(interval), SECOND..=YEAR, "a second to a year")?;
            Times::Every { from: start.unwrap_or(created), interval }
        } else if source.cron.is_empty() {
            let ticks = source
                .ticks
                .iter()
                .map(|tick| tick.schedule_time.as_ref().map(|time| Timestamp::from(time).as_micros()));
            let mut ticks: Vec<i64> =
                ticks.collect::<Option<_>>().ok_or_else(|| ("ticks", "need a schedule_time".to_owned()))?;
            ticks.sort_unstable();
            ticks.dedup();
            Times::At(ticks)
        } else {
            cron(source)?
        };
        let span = |field, duration: &Option<prost_types::Duration>, otherwise, most, words| match duration {
            None => Ok(otherwise),
            Some(duration) => bounded(field, span::micros(duration), 0..=most, words),
        };
        Ok(Self {
            times,
            start,
            end: source.end_time.as_ref().map(|time| Timestamp::from(time).as_micros()),
            catchup: span("catchup_window", &source.catchup_window, CATCHUP, YEAR, "0 seconds to a year")?,
            jitter: span("jitter", &source.jitter, 0, 3_600 * SECOND, "0 seconds to an hour")?,
        })
    }

    /// The first tick after an instant.
    pub(crate) fn next_after(&self, after: i64) -> Option<i64> {
        let after = self.start.map_or(after, |start| after.max(start - 1));
        let tick = match &self.times {
            Times::Cron { cron, zone, once_a_day } => next_of_cron(cron, *zone, *once_a_day, after),
            Times::Every { from, interval } if after < *from => Some(*from),
            Times::Every { from, interval } => Some(from + ((after - from) / interval + 1) * interval),
            Times::At(ticks) => ticks.get(ticks.partition_point(|tick| *tick <= after)).copied(),
        }?;
        (self.end.is_none_or(|end| tick <= end)).then_some(tick)
    }

    /// How long a tick is put off, the same for each time it is asked.
    pub(crate) fn jitter(&self, uid: Uuid, tick: i64) -> i64 {
        if self.jitter == 0 {
            return 0;
        }
        let mut hash = Sha256::new();
        hash.update(uid.as_bytes());
        hash.update(tick.to_be_bytes());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hash.finalize()[..8]);
        (u64::from_be_bytes(bytes) % self.jitter.unsigned_abs()).cast_signed()
    }

    /// What is due at an instant, of one whose tick `due` is.
    pub(crate) fn due(&self, due: i64, now: i64, most: usize) -> Due {
        let (mut next, mut missed) = (Some(due), None);
        let oldest = now.saturating_sub(self.catchup);
        if due < oldest {
            missed = Some(due);
            next = self.next_after(oldest - 1);
        }
        let mut ticks = Vec::new();
        while let Some(tick) = next.filter(|tick| *tick <= now && ticks.len() < most) {
            ticks.push(tick);
            next = self.next_after(tick);
        }
        Due { ticks, missed, next }
    }
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// The ticks, the oldest first.
    pub(crate) ticks: Vec<i64>,
    /// The first of those that were missed for too long, if any was.
    pub(crate) missed: Option<i64>,
    /// The next one.
    pub(crate) next: Option<i64>,
}

fn bounded(
    field: &'static str,
    span: i64,
    good: std::ops::RangeInclusive<i64>,
    words: &str,
) -> Result<i64, (&'static str, String)> {
    if good.contains(&span) { Ok(span) } else { Err((field, format!("must be {words}"))) }
}

fn cron(source: &ScheduleSource) -> Result<Times, (&'static str, String)> {
    let zone: Tz = match source.time_zone.as_str() {
        "" => Tz::UTC,
        name => name.parse().map_err(|_| ("time_zone", format!("there is no time zone {name:?}")))?,
    };
    let fields: Vec<&str> = source.cron.split_whitespace().collect();
    let ([_, hour, _, _, _] | [_, _, hour, _, _, _]) = fields.as_slice() else {
        return Err(("cron", "has five fields, or six with seconds before them".to_owned()));
    };
    let once_a_day = !hour.contains(['*', '/', '?']);
    let cron = CronParser::new().parse(&source.cron).map_err(|error| ("cron", error.to_string()))?;
    let times = Times::Cron { cron: Box::new(cron), zone, once_a_day };
    Ok(times)
}

/// The first time after one that clocks show, in seconds since 1970; that one too where `inclusive`.
fn matching(cron: &Cron, shown: i64, inclusive: bool) -> Option<i64> {
    let from: DateTime<Utc> = DateTime::from_timestamp(shown, 0)?;
    let found = cron.find_next_occurrence(&from, inclusive).ok()?.timestamp();
    (found - shown <= FURTHEST / SECOND).then_some(found)
}

fn next_of_cron(cron: &Cron, zone: Tz, once_a_day: bool, after: i64) -> Option<i64> {
    let after = after.div_euclid(SECOND);
    let tick = if once_a_day { next_once(cron, zone, after) } else { next_each(cron, zone, after) };
    tick.map(|tick| tick * SECOND)
}

/// Of an hour that is named.
fn next_once(cron: &Cron, zone: Tz, after: i64) -> Option<i64> {
    let mut shown = zone::shown(zone, after);
    let mut inclusive = false;
    if zone::first(zone, shown) != When::At(after) {
        // What clocks show for the second time was kept at the first; what they show next was not.
        let change = zone::change(zone, after - DAY / SECOND, after)?;
        shown = change + zone::offset(zone, change - 1);
        inclusive = true;
    }
    loop {
        shown = matching(cron, shown, inclusive)?;
        let (When::At(tick) | When::SkippedAt(tick)) = zone::first(zone, shown);
        if tick > after {
            return Some(tick);
        }
        inclusive = false;
    }
}

/// Of every hour that there is: piece by piece between the changes of the clocks.
fn next_each(cron: &Cron, zone: Tz, after: i64) -> Option<i64> {
    let (mut from, mut inclusive) = (after, false);
    loop {
        let offset = zone::offset(zone, from);
        let found = matching(cron, from + offset, inclusive)? - offset;
        match zone::change(zone, from, found) {
            None => return Some(found),
            Some(change) => (from, inclusive) = (change, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use prost_types::Duration;

    use super::*;

    fn at(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    fn text(micros: i64) -> String {
        DateTime::from_timestamp_micros(micros).unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    fn schedule(cron: &str, zone: &str) -> Schedule {
        let source =
            ScheduleSource { cron: cron.into(), time_zone: zone.into(), ..ScheduleSource::default() };
        Schedule::read(&source, 0).unwrap()
    }

    fn ticks(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
        let mut ticks = Vec::new();
        let mut last = at(after);
        while ticks.len() < count {
            last = schedule.next_after(last).unwrap();
            ticks.push(text(last));
        }
        ticks
    }

    #[test]
    fn clocks_that_are_put_forward_skip_no_named_hour() {
        // In Berlin 02:00 to 03:00 is not there on 2026-03-29: 01:00Z is 03:00.
        let named = schedule("30 2 * * *", "Europe/Berlin");
        assert_eq!(
            ticks(&named, "2026-03-27T12:00:00Z", 3),
            ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        let both = schedule("0,30 2,3 * * *", "Europe/Berlin");
        assert_eq!(
            ticks(&both, "2026-03-28T12:00:00Z", 3),
            ["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:00:00Z"]
        );
        let each = schedule("*/30 * * * *", "Europe/Berlin");
        assert_eq!(
            ticks(&each, "2026-03-29T00:15:00Z", 4),
            ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z"]
        );
        let new_york = schedule("15 30 2 8 3 *", "America/New_York");
        assert_eq!(ticks(&new_york, "2026-01-01T00:00:00Z", 1), ["2026-03-08T07:00:00Z"]);
    }

    #[test]
    fn clocks_that_are_put_back_repeat_no_named_hour() {
        // In Berlin 02:00 to 03:00 is there twice on 2026-10-25: from 00:00Z and from 01:00Z.
        let named = schedule("30 2 * * *", "Europe/Berlin");
        assert_eq!(
            ticks(&named, "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        // Asked within the second time: it was kept at the first.
        for after in ["2026-10-25T01:00:00Z", "2026-10-25T01:10:00Z", "2026-10-25T01:45:00Z"] {
            assert_eq!(ticks(&named, after, 1), ["2026-10-26T01:30:00Z"], "{after}");
        }
        let later = schedule("0 2,3 * * *", "Europe/Berlin");
        assert_eq!(
            ticks(&later, "2026-10-24T12:00:00Z", 3),
            ["2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z", "2026-10-26T01:00:00Z"]
        );
        let each = schedule("*/30 * * * *", "Europe/Berlin");
        assert_eq!(
            ticks(&each, "2026-10-24T23:45:00Z", 6),
            [
                "2026-10-25T00:00:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-25T02:00:00Z",
                "2026-10-25T02:30:00Z"
            ]
        );
    }

    #[test]
    fn seconds_weekdays_and_leap_days_are_known() {
        let workdays = schedule("5 30 9 * * MON-FRI", "");
        assert_eq!(
            ticks(&workdays, "2026-11-20T09:30:05Z", 2),
            ["2026-11-23T09:30:05Z", "2026-11-24T09:30:05Z"]
        );
        assert_eq!(ticks(&schedule("0 0 29 2 *", ""), "2026-01-01T00:00:00Z", 1), ["2028-02-29T00:00:00Z"]);
        assert_eq!(schedule("0 0 30 2 *", "").next_after(at("2026-01-01T00:00:00Z")), None);
        assert_eq!(ticks(&schedule("* * * * * *", ""), "2026-01-01T00:00:00Z", 1), ["2026-01-01T00:00:01Z"]);
    }

    #[test]
    fn intervals_and_dates_tick() {
        let start = at("2026-01-01T00:00:00Z");
        let every = ScheduleSource {
            interval: Some(Duration { seconds: 90, nanos: 0 }),
            end_time: Some(Timestamp::from_micros(start + 200 * SECOND).into()),
            ..ScheduleSource::default()
        };
        let every = Schedule::read(&every, start).unwrap();
        assert_eq!(every.next_after(start - 1), Some(start));
        assert_eq!(every.next_after(start), Some(start + 90 * SECOND));
        assert_eq!(every.next_after(start + 91 * SECOND), Some(start + 180 * SECOND));
        assert_eq!(every.next_after(start + 180 * SECOND), None);
        let tick = |at| weft_proto::weft::trigger::v1::Tick {
            schedule_time: Some(Timestamp::from_micros(at).into()),
            due_time: None,
        };
        let dates = ScheduleSource { ticks: vec![tick(9), tick(5), tick(9)], ..ScheduleSource::default() };
        let dates = Schedule::read(&dates, 0).unwrap();
        assert_eq!([0, 5, 9].map(|after| dates.next_after(after)), [Some(5), Some(9), None]);
    }

    #[test]
    fn what_was_missed_for_too_long_is_not_made_up_for() {
        let minutes = schedule("* * * * *", "");
        let now = at("2026-01-01T00:10:30Z");
        let due = |due: &str, most| minutes.due(at(due), now, most);
        let late = due("2026-01-01T00:10:00Z", 9);
        assert_eq!((late.ticks.len(), late.missed, late.next), (1, None, Some(at("2026-01-01T00:11:00Z"))));
        let missed = due("2026-01-01T00:01:00Z", 9);
        assert_eq!(missed.ticks, [at("2026-01-01T00:10:00Z")]);
        assert_eq!(missed.missed, Some(at("2026-01-01T00:01:00Z")));
        let long = ScheduleSource {
            cron: "* * * * *".into(),
            catchup_window: Some(Duration { seconds: 3_600, nanos: 0 }),
            ..ScheduleSource::default()
        };
        let long = Schedule::read(&long, 0).unwrap();
        let some = long.due(at("2026-01-01T00:01:00Z"), now, 4);
        assert_eq!((some.ticks.len(), some.missed, some.next), (4, None, Some(at("2026-01-01T00:05:00Z"))));
    }

    #[test]
    fn jitter_is_bounded_and_stays() {
        let source = ScheduleSource {
            cron: "* * * * *".into(),
            jitter: Some(Duration { seconds: 10, nanos: 0 }),
            ..ScheduleSource::default()
        };
        let schedule = Schedule::read(&source, 0).unwrap();
        let uid = Uuid::from_u128(7);
        let all: Vec<i64> = (0..100).map(|tick| schedule.jitter(uid, tick)).collect();
        assert!(all.iter().all(|jitter| (0..10 * SECOND).contains(jitter)));
        assert!(
            all.iter().any(|jitter| *jitter > 5 * SECOND) && all.iter().any(|jitter| *jitter < 5 * SECOND)
        );
        assert_eq!(schedule.jitter(uid, 3), all[3]);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        let of = |cron: &str, zone: &str| {
            let source =
                ScheduleSource { cron: cron.into(), time_zone: zone.into(), ..ScheduleSource::default() };
            Schedule::read(&source, 0).map(|_| ()).map_err(|(field, _)| field)
        };
        for cron in ["", "* * * *", "61 * * * *", "* * * * * * *", "@yearly", "nonsense here is no cron"] {
            assert_eq!(of(cron, ""), Err("cron"), "{cron}");
        }
        assert_eq!(of("* * * * *", "Europe/Atlantis"), Err("time_zone"));
        assert_eq!(of("* * * * *", "Asia/Kolkata"), Ok(()));
    }
}
