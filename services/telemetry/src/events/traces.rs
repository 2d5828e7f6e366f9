//! Traces: what the spans of one are together.

use std::collections::{BTreeSet, HashMap, HashSet};

use weft_proto::weft::telemetry::v1::TraceSummary;
use weft_series::DecodeError;

use super::{
    chunk::{Event, Origin},
    page::{Page, Position, Start},
    records::hex,
    scan::View,
    spans::ERROR,
    wanted::Wanted,
};
use crate::{Error, domain::time};

/// What is known of a trace.
#[derive(Debug, Default)]
pub(crate) struct Known {
    spans: HashSet<[u8; 8]>,
    errors: usize,
    first: Option<Begin>,
    root: Option<Begin>,
    end: i64,
    services: BTreeSet<String>,
    /// The newest span that is wanted.
    pub(crate) newest: Option<Position>,
}

/// A span that a trace may be called after.
#[derive(Debug)]
struct Begin {
    time: i64,
    service: String,
    operation: String,
}

impl Known {
    /// Adds a span. One that came twice is one.
    pub(crate) fn add(&mut self, event: &Event<'_>, origin: &Origin) {
        let Ok(id) = <[u8; 8]>::try_from(event.span) else { return };
        if !self.spans.insert(id) {
            return;
        }
        self.errors += usize::from(event.code & 3 == ERROR);
        self.end = if self.first.is_none() { i64::MIN } else { self.end };
        self.end = self.end.max(event.time.saturating_add(event.length));
        if !self.services.contains(&origin.service) {
            self.services.insert(origin.service.clone());
        }
        let begin =
            || Begin { time: event.time, service: origin.service.clone(), operation: event.name.to_owned() };
        if self.first.as_ref().is_none_or(|first| event.time < first.time) {
            self.first = Some(begin());
        }
        if event.parent.is_empty() && self.root.as_ref().is_none_or(|root| event.time < root.time) {
            self.root = Some(begin());
        }
    }

    /// Remembers that a span of it is wanted.
    pub(crate) fn want(&mut self, position: Position) {
        self.newest = self.newest.max(Some(position));
    }

    /// As the contract has it; `None` where it has no span.
    pub(crate) fn summary(&self, project: &str, trace: &[u8; 16]) -> Option<TraceSummary> {
        let first = self.first.as_ref()?;
        let begin = self.root.as_ref().unwrap_or(first);
        let trace_id = hex(trace);
        Some(TraceSummary {
            name: format!("projects/{project}/traces/{trace_id}"),
            trace_id,
            root_service_name: begin.service.clone(),
            root_operation: begin.operation.clone(),
            start_time: Some(time::of_nanos(first.time)),
            duration: Some(time::duration_of_nanos(self.end.saturating_sub(first.time))),
            span_count: self.spans.len() as i32,
            error_span_count: self.errors as i32,
            service_names: self.services.iter().cloned().collect(),
            has_root: self.root.is_some(),
        })
    }
}

/// Spans that are looked at before their traces are.
const SPANS: usize = 1_000;
/// How often spans are looked for until a page is given that is not full.
const ROUNDS: usize = 16;

/// Traces with a span that is wanted, those first whose such span began last; and where the next page begins.
///
/// A trace is on the page of the newest of these spans, and on no other, so that nothing has to be remembered from
/// one page to the next.
///
/// # Errors
/// It takes too long, or something cannot be read.
pub(crate) fn search(
    view: &View,
    project: &str,
    wanted: &Wanted,
    mut from: Start,
    size: usize,
) -> Result<(Vec<TraceSummary>, Option<Position>), Error> {
    let mut found = Vec::new();
    for _ in 0..ROUNDS {
        let mut page = Page::new(from, SPANS, usize::MAX);
        view.search(wanted, &mut page, |event, _| {
            let trace =
                <[u8; 16]>::try_from(event.trace).map_err(|_| DecodeError("has a span of no trace"))?;
            Ok((trace, 0))
        })?;
        let (spans, next) = page.finish();
        let count = spans.len();
        let (candidates, taken) = candidates(&spans, size - found.len());
        let known = known(view, wanted, from.newest, &candidates)?;
        for (position, trace) in candidates {
            let summary = known.get(&trace).filter(|known| known.newest == Some(position));
            found.extend(summary.and_then(|known| known.summary(project, &trace)));
        }
        let has_more = taken < count || next.is_some();
        let Some((last, _)) = spans.get(taken.wrapping_sub(1)).filter(|_| has_more) else {
            return Ok((found, None));
        };
        from.below = Some(*last);
        if found.len() >= size {
            break;
        }
    }
    Ok((found, from.below))
}

/// The first traces of spans, at most `most`, with the span that each is found by; and how many spans are theirs.
fn candidates(spans: &[(Position, [u8; 16])], most: usize) -> (Vec<(Position, [u8; 16])>, usize) {
    let (mut seen, mut candidates) = (HashSet::new(), Vec::new());
    for (place, (position, trace)) in spans.iter().enumerate() {
        if seen.contains(trace) {
            continue;
        }
        if candidates.len() == most {
            return (candidates, place);
        }
        seen.insert(*trace);
        candidates.push((*position, *trace));
    }
    (candidates, spans.len())
}

fn known(
    view: &View,
    wanted: &Wanted,
    newest: u64,
    candidates: &[(Position, [u8; 16])],
) -> Result<HashMap<[u8; 16], Known>, Error> {
    let traces: HashSet<[u8; 16]> = candidates.iter().map(|(_, trace)| *trace).collect();
    let mut known: HashMap<[u8; 16], Known> = HashMap::new();
    if traces.is_empty() {
        return Ok(known);
    }
    view.of_traces(&traces, |event, origin| {
        let Ok(trace) = event.trace.try_into() else { return Ok(()) };
        let of = known.entry(trace).or_default();
        of.add(event, origin);
        if event.number <= newest && wanted.is(view.kind, event, origin)? {
            of.want(Position { time: event.time, number: event.number });
        }
        Ok(())
    })?;
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_called_after_its_root_and_is_as_long_as_all_of_it() {
        let mut known = Known::default();
        assert!(known.summary("p", &[1; 16]).is_none());
        let origin = |service: &str| Origin { service: service.to_owned(), ..Origin::default() };
        let span = |id: &'static [u8; 8], time, length, code, parent: &'static [u8]| Event {
            time,
            length,
            code,
            span: id,
            parent,
            name: if parent.is_empty() { "root" } else { "child" },
            ..Event::default()
        };
        known.add(&span(&[2; 8], 95, 20, ERROR, &[1; 8]), &origin("child"));
        assert_eq!(known.summary("p", &[1; 16]).unwrap().root_operation, "child");
        known.add(&span(&[1; 8], 100, 10, 0, &[]), &origin("front"));
        known.add(&span(&[2; 8], 95, 20, ERROR, &[1; 8]), &origin("child"));
        let summary = known.summary("p", &[1; 16]).unwrap();
        assert_eq!((&*summary.root_service_name, &*summary.root_operation), ("front", "root"));
        assert_eq!((summary.span_count, summary.error_span_count, summary.has_root), (2, 1, true));
        assert_eq!((summary.start_time.unwrap().nanos, summary.duration.unwrap().nanos), (95, 20));
        assert_eq!(summary.service_names, ["child", "front"]);
    }

    #[test]
    fn candidates_end_before_the_first_span_of_a_trace_too_many() {
        let span = |time, trace| (Position { time, number: 0 }, [trace; 16]);
        let spans = [span(9, 1), span(8, 2), span(7, 1), span(6, 3), span(5, 1)];
        let places = |most| {
            let (candidates, taken) = candidates(&spans, most);
            (candidates.into_iter().map(|(position, _)| position.time).collect::<Vec<_>>(), taken)
        };
        assert_eq!(places(1), (vec![9], 1));
        assert_eq!(places(2), (vec![9, 8], 3));
        assert_eq!(places(9), (vec![9, 8, 6], 5));
    }
}
