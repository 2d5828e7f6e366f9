//! What happens next: steps whose turn it is say what they do, and what has become due goes on.

use std::{sync::Arc, time::Duration};

use serde_json::Value as Json;

use super::{Run, Status, StepIs, variables::Seen};
use crate::{
    domain::{
        cache,
        event::{Event, Value},
        fault::StepError,
        limit::Counted,
        published::Published,
    },
    kinds::{Kind, Move, Shape},
};

/// Bytes of messages of one run after which it is enough for one flush.
const ENOUGH: usize = 1 << 20;
/// What a message takes beside its value, in bytes, roughly.
const ENVELOPE: usize = 200;

/// Something that a step does outside, to be begun once what led to it is on disk.
#[derive(Clone)]
pub(crate) struct Performance {
    pub(crate) step: u32,
    /// Attempts that have failed.
    pub(crate) failures: u32,
    pub(crate) generation: u32,
    pub(crate) kind: &'static dyn Kind,
    pub(crate) request: Arc<Json>,
    /// The queue whose workers do it; this process does, where there is none.
    pub(crate) queue: Option<Arc<str>>,
    pub(crate) timeout: Option<Duration>,
    /// What it counts against while it acts.
    pub(crate) limit: Option<Counted>,
    /// What would do in place of its work.
    pub(crate) cache: Option<cache::Asked>,
}

impl Run {
    /// Decides what happens until only the outside, time or people can go on, or until so much was published that it is
    /// to be taken away first: then steps are left whose turn it is ([`Self::is_idle`]). `chance` is for jitter.
    pub(crate) fn settle(&mut self, now: i64, chance: f64) -> Vec<Performance> {
        let mut performances = Vec::new();
        if !self.status.has_ended() && self.start.deadline.is_some_and(|deadline| deadline <= now) {
            self.happen(now, Event::TimedOut);
        }
        loop {
            let is_enough = self.published_bytes >= ENOUGH && !self.ready.is_empty();
            if self.status != Status::Running || is_enough {
                return performances;
            }
            if let Some(step) = self.ready.pop_front() {
                self.begin(step, now, chance, &mut performances);
            } else if let Some(step) = self.heard() {
                let value = self.signals_of(step);
                self.happen(now, Event::Gave { step, port: None, value });
            } else if let Some((at, step)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
                self.timers.remove(&(at, step));
                self.due(step, now);
            } else {
                return performances;
            }
        }
    }

    fn begin(&mut self, number: u32, now: i64, chance: f64, performances: &mut Vec<Performance>) {
        let Some(step) = self.steps.get(&number).filter(|step| step.is == StepIs::Ready) else { return };
        let planned = self.planned(step);
        let is_again = step.body.is_some();
        let seen = Seen { run: self, step };
        let moved = planned.behaviour.start(&seen, now.max(self.at));
        let limit = match (&moved, &planned.limit) {
            (Ok(Move::Perform(_) | Move::Hand { .. }), Some(limit)) => limit.count(&seen).map(Some),
            _ => Ok(None),
        };
        let cache = match (&moved, &planned.cache) {
            (Ok(Move::Perform(request)), Some(cache)) => {
                cache.ask(planned.kind.name(), request, &seen).map(Some)
            }
            _ => Ok(None),
        };
        let perform = |request, queue, limit, cache| Performance {
            step: number,
            failures: step.failures,
            generation: step.generation,
            kind: planned.kind,
            request,
            queue,
            timeout: planned.timeout,
            limit,
            cache,
        };
        match limit.and_then(|limit| Ok((moved?, (limit, cache?)))) {
            Ok((Move::Give { port, value }, _)) => {
                // What is given as it came is not written down again.
                let value = value.filter(|value| *value != step.input || is_again);
                self.happen(now, Event::Gave { step: number, port, value });
            }
            Ok((Move::Publish { topic, value }, _)) => {
                self.published_bytes += value.len() + ENVELOPE;
                let at = now.max(self.at);
                self.published.push(Published { topic, value, step: step.path.clone(), at });
                self.happen(now, Event::Gave { step: number, port: None, value: None });
            }
            Ok((Move::Wait(wait), _)) => self.happen(now, Event::Waits { step: number, wait }),
            Ok((Move::Enter(_), _)) if is_again => self.happen(now, Event::Round { step: number }),
            Ok((Move::Enter(value), _)) => {
                let is_list = |value: &Value| value.is_array();
                if matches!(planned.shape, Shape::Each { .. })
                    && !is_list(value.as_ref().unwrap_or(&step.input))
                {
                    let error = StepError::new("NOT_A_LIST", "its items are no list");
                    return self.happen(now, Event::Failed { step: number, error, again_at: None });
                }
                self.happen(now, Event::Entered { step: number, value });
            }
            Ok((Move::Perform(request), (limit, cache))) => {
                performances.push(perform(request, None, limit, cache));
                self.performs(number);
            }
            Ok((Move::Hand { queue, input }, (limit, _))) => {
                performances.push(perform(input, Some(queue), limit, None));
                self.performs(number);
            }
            Err(error) => self.report_failure(number, error, now, chance),
        }
    }

    /// A step is at work outside.
    fn performs(&mut self, number: u32) {
        if let Some(step) = self.steps.get_mut(&number) {
            step.is = StepIs::Performing;
        }
    }

    /// A step that waits for a signal that has come.
    fn heard(&self) -> Option<u32> {
        if self.signals.is_empty() {
            return None;
        }
        self.signals.keys().find_map(|signal| self.listeners.get(signal)?.first().copied())
    }

    fn signals_of(&self, step: u32) -> Option<Value> {
        let signal = self.steps.get(&step)?.wait.as_ref()?.signal.as_ref()?;
        self.signals.get(signal)?.front().cloned()
    }

    /// A step's time has come: the next attempt, or the end of a wait.
    fn due(&mut self, number: u32, now: i64) {
        let Some(step) = self.steps.get_mut(&number) else { return };
        match step.is {
            StepIs::Backoff => {
                step.due = None;
                step.is = StepIs::Ready;
                self.ready.push_back(number);
            }
            StepIs::Waiting => {
                let step = &self.steps[&number];
                let port = self.planned(step).behaviour.expired();
                let event = match port {
                    Ok("out") => Event::Gave { step: number, port: None, value: None },
                    Ok(port) if self.planned(step).has_way(port) => {
                        let value = Some(Arc::clone(&step.input));
                        Event::Gave { step: number, port: Some(port.to_owned()), value }
                    }
                    Ok(_) => {
                        let error = StepError::new("TIMEOUT", "what it waited for did not come in time");
                        Event::Failed { step: number, error, again_at: None }
                    }
                    Err(error) => Event::Failed { step: number, error, again_at: None },
                };
                self.happen(now, event);
            }
            _ => {}
        }
    }

    /// What a step has done outside came to this. Says whether that counts: a step that has ended meanwhile is over.
    pub(crate) fn performed(
        &mut self,
        (number, generation): (u32, u32),
        outcome: Result<Json, StepError>,
        now: i64,
        chance: f64,
    ) -> bool {
        let is_at_work = |step: &&super::Step| {
            step.generation == generation && matches!(step.is, StepIs::Performing | StepIs::Ready)
        };
        let Some(step) = self.steps.get(&number).filter(is_at_work) else { return false };
        match outcome {
            Ok(value) => {
                let value = (value != *step.input).then(|| Arc::new(value));
                self.happen(now, Event::Gave { step: number, port: None, value });
            }
            Err(error) => self.report_failure(number, error, now, chance),
        }
        true
    }

    /// A step has what another one gave. Says whether that counts, as [`Self::performed`].
    pub(crate) fn recalled(
        &mut self,
        (number, generation): (u32, u32),
        value: Json,
        from: String,
        now: i64,
    ) -> bool {
        let is_at_work = |step: &&super::Step| {
            step.generation == generation && matches!(step.is, StepIs::Performing | StepIs::Ready)
        };
        let Some(step) = self.steps.get(&number).filter(is_at_work) else { return false };
        let value = (value != *step.input).then(|| Arc::new(value));
        self.happen(now, Event::Recalled { step: number, value, from });
        true
    }

    fn report_failure(&mut self, number: u32, error: StepError, now: i64, chance: f64) {
        let Some(step) = self.steps.get(&number) else { return };
        let pause = self.planned(step).retry.pause(step.failures + 1, &error, chance);
        let again_at = pause.map(|pause| now.saturating_add(pause.as_micros() as i64));
        // Whether it may help is decided, and not written down.
        let error = StepError { again: false, pause: Duration::ZERO, ..error };
        self.happen(now, Event::Failed { step: number, error, again_at });
    }
}
