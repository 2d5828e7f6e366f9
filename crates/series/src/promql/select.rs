//! Looks at series: the newest value at a time, and the samples of a window.

use promql_parser::{
    label::Matcher,
    parser::{AtModifier, Offset},
};

use super::{
    coarse::Coarse,
    context::{self, Context, millis},
    model::{Failure, Row},
};
use crate::{
    group::Samples,
    value::{ABSENT, is_absent, is_stale},
};

/// At which time a selector looks, for a step's time.
#[derive(Clone, Copy)]
pub(super) struct When {
    pinned: Option<i64>,
    offset: i64,
}

impl When {
    pub(super) fn of(offset: Option<&Offset>, at: Option<&AtModifier>, context: &Context<'_>) -> Self {
        Self { pinned: context::pinned(at, context.whole), offset: context::offset(offset) }
    }

    pub(super) fn at(self, time: i64) -> i64 {
        self.pinned.unwrap_or(time).saturating_sub(self.offset)
    }

    /// The first and the last look.
    pub(super) fn span(self, context: &Context<'_>) -> (i64, i64) {
        (self.at(context.steps.first), self.at(context.steps.last()))
    }
}

/// The newest value of each series at each step, if it is not marked as its end, and not older than the look-back or,
/// of samples that were thinned out, no gap follows it.
pub(super) fn looks(matchers: &[Matcher], when: When, context: &Context<'_>) -> Result<Vec<Row>, Failure> {
    let (from, to) = when.span(context);
    let look_back = millis(context.limits.look_back);
    let found = context.source.select(matchers, from.saturating_sub(look_back) + 1, to, context.limits)?;
    let mut rows = Vec::with_capacity(found.len());
    for series in found {
        let mut row = Row::absent(series.labels, context.steps.count);
        let Samples { times, values } = &series.samples;
        let mut next = 0;
        for (step, looked) in row.values.iter_mut().enumerate() {
            let at = when.at(context.steps.time(step));
            while next < times.len() && times[next] <= at {
                next += 1;
            }
            let Some(place) = next.checked_sub(1) else { continue };
            let counts = times[place] > at - look_back
                || times.get(next).is_some_and(|next| series.coarse.joins(times[place], *next));
            if counts && !is_stale(values[place]) {
                *looked = values[place];
            }
        }
        if row.values.iter().any(|value| !is_absent(*value)) {
            rows.push(row);
        }
    }
    context.limits.in_time()?;
    Ok(rows)
}

/// Takes out the marks of an end: in a window they are no samples.
pub(super) fn without_marks(samples: &mut Samples) {
    if samples.values.iter().any(|value| is_stale(*value)) {
        let mut keep = samples.values.iter().map(|value| !is_stale(*value)).collect::<Vec<_>>().into_iter();
        samples.times.retain(|_| keep.next().unwrap_or(false));
        samples.values.retain(|value| !is_stale(*value));
    }
}

/// The samples of a window, as a function gets them.
pub(super) struct View<'s> {
    /// In milliseconds.
    pub(super) times: &'s [i64],
    pub(super) values: &'s [f64],
    /// The window ends here, and does not include its beginning. Samples that were thinned out may be before that.
    pub(super) end: i64,
    /// How long it is, in milliseconds.
    pub(super) range: i64,
}

/// Which samples a function gets at each step.
pub(super) struct Window {
    /// How long it is, in milliseconds.
    pub(super) range: i64,
    pub(super) when: When,
    /// How many samples the function needs. Where fewer are in a window, of those that were thinned out the ones
    /// before it join, as long as no gap is between.
    pub(super) needed: usize,
}

/// Applies a function to the window of each step; a step whose window is empty, or of which the function makes
/// nothing, is absent.
pub(super) fn over(
    samples: &Samples,
    coarse: &Coarse,
    window: &Window,
    context: &Context<'_>,
    mut function: impl FnMut(View<'_>, usize) -> Option<f64>,
) -> Vec<f64> {
    let Samples { times, values } = samples;
    let Window { range, when, needed } = *window;
    let (mut begin, mut end) = (0, 0);
    let mut out = Vec::with_capacity(context.steps.count);
    for step in 0..context.steps.count {
        let at = when.at(context.steps.time(step));
        while end < times.len() && times[end] <= at {
            end += 1;
        }
        while begin < end && times[begin] <= at - range {
            begin += 1;
        }
        let mut first = begin;
        while !coarse.is_empty() && end - first < needed && first > 0 {
            let is_joined = times.get(first).is_some_and(|next| coarse.joins(times[first - 1], *next));
            if !is_joined {
                break;
            }
            first -= 1;
        }
        let view = View { times: &times[first..end], values: &values[first..end], end: at, range };
        out.push(if first == end { ABSENT } else { function(view, step).map_or(ABSENT, crate::value::kept) });
    }
    out
}
