//! Series that are made, so that it is known what is right.

use super::{Anomaly, Direction, Fit, LEAST_VALUES};
use crate::{
    promql::Steps,
    value::{ABSENT, STALE},
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// A Sunday, and no whole number of days after 1970.
const BEGIN: i64 = 1_800_000_000_000;

/// Numbers that look like chance and are always the same (Steele, Lea and Flood 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normal, by Box and Muller (1958).
    fn normal(&mut self) -> f64 {
        let (far, around) = (1.0 - self.part(), self.part());
        (-2.0 * far.ln()).sqrt() * (std::f64::consts::TAU * around).cos()
    }
}

fn steps(step: i64, count: usize) -> Steps {
    Steps { first: BEGIN, step, count }
}

fn made(steps: Steps, mut value: impl FnMut(i64) -> f64) -> Vec<f64> {
    (0..steps.count).map(|place| value(steps.time(place))).collect()
}

/// A wave that comes again after a while.
fn wave(time: i64, period: i64) -> f64 {
    (time.rem_euclid(period) as f64 / period as f64 * std::f64::consts::TAU).sin()
}

fn near(one: f64, other: f64, by: f64) -> bool {
    (one - other).abs() <= by
}

#[test]
fn of_few_values_nothing_is_said() {
    let week = steps(HOUR, 168);
    for value in [f64::NAN, ABSENT, STALE, f64::INFINITY] {
        assert!(Fit::learn(week, &[value; 168]).is_none());
    }
    assert!(Fit::learn(week, &[]).is_none());
    let mut few = [f64::NAN; 168];
    few[9] = 1.0;
    assert!(Fit::learn(week, &few).is_none(), "one value");
    few[..LEAST_VALUES].fill(1.0);
    assert_eq!(Fit::learn(week, &few).map(|fit| fit.count()), Some(LEAST_VALUES + 1));
}

#[test]
fn what_never_changes_goes_on_and_has_no_anomaly() {
    for value in [0.0, -0.0, 5.0, 0.1, -1e300, f64::MAX, f64::MIN_POSITIVE, 5e-324] {
        let week = steps(HOUR, 168);
        let values = [value; 168];
        let fit = Fit::learn(week, &values).unwrap();
        assert_eq!(fit.trend_per_second(), 0.0);
        assert!(fit.season().is_none());
        let ahead = fit.ahead(week.last() + 30 * DAY);
        assert!(near(ahead.value, value, value.abs() * 1e-9), "{value}: {ahead:?}");
        assert!(ahead.upper - ahead.lower <= value.abs() * 1e-9, "{ahead:?}");
        assert!(fit.anomalies(&values, 0, 1.0).is_empty());
    }
    // One value that is off is one.
    let mut values = [5.0; 168];
    values[80] = 6.0;
    let found = Fit::learn(steps(HOUR, 168), &values).unwrap().anomalies(&values, 0, 5.0);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].peak, found[0].expected, found[0].seen), (BEGIN + 80 * HOUR, 5.0, 6.0));
}

#[test]
fn the_largest_numbers_that_there_are_stay_finite() {
    let week = steps(HOUR, 200);
    let values = made(week, |time| if time / HOUR % 2 == 0 { f64::MAX } else { f64::MIN });
    let fit = Fit::learn(week, &values).unwrap();
    let ahead = fit.ahead(week.last() + 3_650 * DAY);
    assert!(
        [ahead.value, ahead.lower, ahead.upper, fit.trend_per_second()].iter().all(|value| value.is_finite())
    );
    let values = made(week, |time| (time - BEGIN) as f64 / HOUR as f64 * (f64::MAX / 200.0));
    let ahead = Fit::learn(week, &values).unwrap().ahead(week.last() + 3_650 * DAY);
    assert_eq!(ahead.value, f64::MAX);
}

#[test]
fn a_counter_that_begins_anew_still_rises() {
    let week = steps(10 * MINUTE, 1_008);
    let restart = BEGIN + 5 * DAY;
    let values =
        made(week, |time| (time - if time < restart { BEGIN } else { restart }) as f64 / 1_000.0 * 3.0);
    let fit = Fit::learn(week, &values).unwrap();
    assert!(near(fit.trend_per_second(), 3.0, 0.3), "{}", fit.trend_per_second());
    // It goes on from where it is, and not from where it was before.
    let now = *values.last().unwrap();
    assert!(fit.ahead(week.last()).value < 1.5 * now);
}

#[test]
fn an_outage_and_its_gap_move_neither_the_line_nor_what_is_expected() {
    let week = steps(10 * MINUTE, 1_008);
    let mut chance = Chance(1);
    let mut values = made(week, |time| (time - BEGIN) as f64 / DAY as f64 + 0.05 * chance.normal());
    values[300..420].fill(ABSENT);
    values[600..650].fill(0.0);
    let fit = Fit::learn(week, &values).unwrap();
    assert!(near(fit.trend_per_second() * 86_400.0, 1.0, 0.02));
    assert!(near(fit.ahead(week.last() + 7 * DAY).value, 14.0, 0.3));
    let found = fit.anomalies(&values, 0, 5.0);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].start, found[0].end), (week.time(600), week.time(649)));
}

#[test]
fn a_day_is_known_from_three_days_on_and_a_week_from_three_weeks_on() {
    let mut chance = Chance(2);
    let found = |days: i64, chance: &mut Chance, value: &dyn Fn(i64) -> f64| {
        let steps = steps(30 * MINUTE, (days * 48 + 1) as usize);
        let values = made(steps, |time| value(time) + 0.3 * chance.normal());
        let fit = Fit::learn(steps, &values).unwrap();
        fit.season().map(|season| (season.period / DAY, season.strength))
    };
    let daily = |time: i64| 10.0 + 3.0 * wave(time, DAY);
    assert_eq!(found(2, &mut chance, &daily), None);
    for days in [3, 7, 30] {
        let (period, strength) = found(days, &mut chance, &daily).unwrap();
        assert_eq!(period, 1);
        assert!(strength > 0.9, "{days} {strength}");
    }
    // Working days from eight to six.
    let weekly = |time: i64| {
        let (day, hour) = ((time / DAY + 4) % 7, time / HOUR % 24);
        if (1..=5).contains(&day) && (8..18).contains(&hour) { 20.0 } else { 5.0 }
    };
    let (period, strength) = found(28, &mut chance, &weekly).unwrap();
    assert_eq!(period, 7);
    assert!(strength > 0.9, "{strength}");
    // A slope does not hide it.
    let rising = |time: i64| (time - BEGIN) as f64 / DAY as f64 * 5.0 + daily(time);
    assert_eq!(found(7, &mut chance, &rising).unwrap().0, 1);
}

#[test]
fn a_day_is_known_where_every_other_step_has_no_value() {
    let mut chance = Chance(8);
    let week = steps(15 * MINUTE, 7 * 96 + 1);
    let mut values = made(week, |time| 100.0 + 30.0 * wave(time, DAY) + 3.0 * chance.normal());
    values.iter_mut().skip(1).step_by(2).for_each(|value| *value = ABSENT);
    values[600..604].iter_mut().filter(|value| value.is_finite()).for_each(|value| *value = 0.0);
    let fit = Fit::learn(week, &values).unwrap();
    assert_eq!(fit.season().map(|season| season.period), Some(DAY));
    // Each by itself: a gap ends a spell.
    let found: Vec<i64> = fit.anomalies(&values, 0, 5.0).iter().map(|found| found.start).collect();
    assert_eq!(found, [week.time(600), week.time(602)]);
}

#[test]
fn chance_is_no_season() {
    // Noise, and walks of which each value is like the one before: of 200 of them hardly any looks like a day.
    let mut taken = [0; 2];
    for seed in 0..200 {
        let mut chance = Chance(seed);
        let week = steps(10 * MINUTE, 1_009);
        let noise = made(week, |_| chance.normal());
        let mut at = 0.0;
        let walk = made(week, |_| {
            at += chance.normal();
            at
        });
        for (which, values) in [noise, walk].iter().enumerate() {
            taken[which] += i32::from(Fit::learn(week, values).unwrap().season().is_some());
        }
    }
    assert_eq!(taken[0], 0);
    assert!(taken[1] <= 4, "{taken:?} of 200");
}

#[test]
fn a_day_goes_on_as_it_was() {
    let mut chance = Chance(3);
    let week = steps(10 * MINUTE, 1_009);
    let right = |time: i64| 40.0 + 10.0 * wave(time, DAY) + (time - BEGIN) as f64 / DAY as f64;
    let values = made(week, |time| right(time) + chance.normal());
    let fit = Fit::learn(week, &values).unwrap();
    for hours in 1..72 {
        let ahead = fit.ahead(week.last() + hours * HOUR);
        assert!(near(ahead.value, right(ahead.time), 2.0), "{hours}: {ahead:?}");
        assert!((ahead.lower..=ahead.upper).contains(&right(ahead.time)));
        // 95 of 100 are within two spreads to each side.
        assert!(near(ahead.upper - ahead.lower, 4.0, 1.5), "{ahead:?}");
    }
}

#[test]
fn a_disk_that_fills_is_full_when_it_was_said_to_be() {
    // 0.4 of it and 3 of 100 a day, with noise that is as much as half a day: full after 20 days.
    let (mut within, mut width) = (0, 0.0);
    for seed in 0..100 {
        let mut chance = Chance(seed);
        let week = steps(10 * MINUTE, 1_009);
        let values =
            made(week, |time| 0.4 + 0.03 * (time - BEGIN) as f64 / DAY as f64 + 0.015 * chance.normal());
        let fit = Fit::learn(week, &values).unwrap();
        let full = fit.crossing(week.last(), week.last() + 60 * DAY, 1.0, Direction::Rising).unwrap();
        let right = BEGIN + 20 * DAY;
        let latest = full.latest.expect("within two months");
        assert!(full.earliest <= full.time.unwrap() && full.time.unwrap() <= latest);
        assert!(near(full.time.unwrap() as f64, right as f64, DAY as f64), "{seed}: {full:?}");
        within += i32::from((full.earliest..=latest).contains(&right));
        width += (latest - full.earliest) as f64 / DAY as f64;
    }
    assert_eq!(within, 100);
    assert!(width / 100.0 < 3.0, "{} days wide on average", width / 100.0);
}

#[test]
fn of_a_hundred_intervals_ninety_and_more_hold() {
    // Whatever the noise is: each value for itself, or like the one before. Of a walk, which has no trend at all, as many
    // hold for the next hours, and fewer for a time that is as long as what was learned from.
    for (like, least) in [(0.0, 180), (0.8, 180), (0.98, 180), (1.0, 165)] {
        let (mut near, mut far) = (0, 0);
        for seed in 0..200 {
            let mut chance = Chance(seed);
            let (mut noise, all) = (0.0, steps(10 * MINUTE, 2_017));
            let values = made(all, |time| {
                noise = like * noise + chance.normal();
                noise + (time - BEGIN) as f64 / HOUR as f64 * 0.5
            });
            let past = steps(10 * MINUTE, 1_009);
            let fit = Fit::learn(past, &values[..1_009]).unwrap();
            let holds = |place: usize| {
                let ahead = fit.ahead(all.time(place));
                i32::from((ahead.lower..=ahead.upper).contains(&values[place]))
            };
            near += holds(1_040);
            far += holds(2_016);
        }
        assert!(near >= 180 && far >= least, "{like}: {near} and {far} of 200");
    }
}

#[test]
fn a_threshold_is_reached_from_its_side_or_not_at_all() {
    let day = steps(HOUR, 25);
    let falling = made(day, |time| 100.0 - (time - BEGIN) as f64 / HOUR as f64);
    let fit = Fit::learn(day, &falling).unwrap();
    let (now, later) = (day.last(), day.last() + 30 * DAY);
    let empty = fit.crossing(now, later, 0.0, Direction::Falling).unwrap();
    assert_eq!(
        (empty.earliest, empty.time, empty.latest),
        (BEGIN + 100 * HOUR, Some(BEGIN + 100 * HOUR), Some(BEGIN + 100 * HOUR))
    );
    assert_eq!(fit.crossing(now, now + DAY, 0.0, Direction::Falling), None);
    assert_eq!(fit.crossing(now, later, 200.0, Direction::Rising), None);
    // It is there already.
    let there = fit.crossing(now, later, 90.0, Direction::Falling).unwrap();
    assert_eq!((there.earliest, there.time, there.latest), (now, Some(now), Some(now)));
    // No time at all, and one before the other.
    assert_eq!(fit.crossing(now, now, 90.0, Direction::Falling).unwrap().time, Some(now));
    assert_eq!(fit.crossing(now, now - 1, 90.0, Direction::Falling), None);
}

/// A walk with a day and noise, in which 12 values are wrong for 20 minutes to two hours.
fn disturbed(seed: u64, amount: f64) -> (Steps, Vec<f64>, Vec<(i64, i64)>) {
    let mut chance = Chance(seed);
    let steps = steps(5 * MINUTE, 10 * 288);
    let mut walk = 0.0;
    let mut values = made(steps, |time| {
        walk += 0.03 * chance.normal();
        50.0 + walk + 8.0 * wave(time, DAY) + 2.0 * wave(time, DAY / 3) + chance.normal()
    });
    let mut wrong = Vec::new();
    for which in 0..12 {
        let begin = which * 240 + (chance.part() * 180.0) as usize;
        let length = 4 + (chance.part() * 20.0) as usize;
        let side = if chance.part() < 0.5 { -amount } else { amount };
        values[begin..begin + length].iter_mut().for_each(|value| *value += side);
        wrong.push((steps.time(begin), steps.time(begin + length - 1)));
    }
    // A gap is none.
    values[1_000..1_030].fill(ABSENT);
    wrong.retain(|(start, end)| *end < steps.time(1_000) || *start >= steps.time(1_030));
    (steps, values, wrong)
}

#[test]
fn what_was_made_wrong_is_found_and_hardly_anything_else() {
    // Seven spreads off, at the default score: of what was made all but a few are found, and of what is found all
    // but a few were made.
    let (mut hit, mut made, mut right, mut found) = (0, 0, 0, 0);
    for seed in 0..20 {
        let (steps, values, wrong) = disturbed(seed, 7.0);
        let fit = Fit::learn(steps, &values).unwrap();
        assert_eq!(fit.season().map(|season| season.period), Some(DAY));
        let anomalies = fit.anomalies(&values, 0, 5.0);
        let meet = |one: &Anomaly, span: &(i64, i64)| one.start <= span.1 && span.0 <= one.end;
        made += wrong.len();
        hit += wrong.iter().filter(|span| anomalies.iter().any(|one| meet(one, span))).count();
        found += anomalies.len();
        right += anomalies.iter().filter(|one| wrong.iter().any(|span| meet(one, span))).count();
    }
    assert_eq!(made, 233);
    assert!(hit * 100 >= made * 98, "recall: {hit} of {made}");
    assert!(right * 100 >= found * 98, "precision: {right} of {found}");
}

#[test]
fn chance_has_hardly_an_anomaly() {
    let (mut of_noise, mut of_walks) = (0, 0);
    for seed in 0..100 {
        let mut chance = Chance(seed);
        let week = steps(10 * MINUTE, 1_009);
        let count = |values: &[f64]| Fit::learn(week, values).unwrap().anomalies(values, 0, 5.0).len();
        of_noise += count(&made(week, |_| chance.normal()));
        let mut at = 0.0;
        of_walks += count(&made(week, |_| {
            at += chance.normal();
            at
        }));
    }
    // Of 100,000 values each.
    assert!(of_noise <= 2, "{of_noise}");
    assert!(of_walks <= 40, "{of_walks}");
}

#[test]
fn an_edge_that_comes_again_is_none() {
    // Every day from two to ten past there is a backup.
    let week = steps(5 * MINUTE, 7 * 288 + 1);
    let mut chance = Chance(5);
    let backup = |time: i64| (2 * HOUR..2 * HOUR + 10 * MINUTE).contains(&time.rem_euclid(DAY));
    let mut values = made(week, |time| if backup(time) { 90.0 } else { 10.0 } + chance.normal());
    let fit = Fit::learn(week, &values).unwrap();
    assert!(fit.anomalies(&values, 0, 6.0).is_empty());
    // The last one is left out: that is one.
    let last = (0..week.count).rfind(|place| backup(week.time(*place))).unwrap();
    values[last - 1..=last].fill(10.0);
    let fit = Fit::learn(week, &values).unwrap();
    let found = fit.anomalies(&values, 0, 6.0);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].end, week.time(last));
    assert!(near(found[0].expected, 90.0, 3.0) && found[0].seen == 10.0);
}

#[test]
fn only_what_is_after_a_time_is_looked_for_and_sides_are_apart() {
    let hours = steps(MINUTE, 300);
    let mut chance = Chance(6);
    let mut values = made(hours, |_| chance.normal());
    values[50] = 40.0;
    values[200..203].copy_from_slice(&[-30.0, -60.0, -30.0]);
    values[203] = 50.0;
    let fit = Fit::learn(hours, &values).unwrap();
    let all = fit.anomalies(&values, 0, 8.0);
    let spans: Vec<_> = all.iter().map(|one| (one.start, one.peak, one.end, one.seen)).collect();
    let time = |place| hours.time(place);
    assert_eq!(
        spans,
        [
            (time(50), time(50), time(50), 40.0),
            (time(200), time(201), time(202), -60.0),
            (time(203), time(203), time(203), 50.0)
        ]
    );
    assert_eq!(fit.anomalies(&values, time(100), 8.0), all[1..]);
}
