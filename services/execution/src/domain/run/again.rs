//! A retry by hand: the run is folded anew, perhaps with another plan, and what had finished is taken over.
//!
//! Steps are found again by their paths. What is taken over keeps its number, its value and its times; what is run
//! anew keeps its number, and counts its generation, so that its outward calls are new ones. A body that is given
//! something else than before takes nothing over.

use std::{collections::VecDeque, sync::Arc};

use super::{Run, Status, StepIs, carried::Carried, fold::Then};
use crate::domain::plan::Plan;

impl Run {
    /// Whether a retry is possible; from that step, if it is said.
    pub(crate) fn can_start_again(&self, from: Option<u32>) -> bool {
        if !self.has_started {
            return false;
        }
        match from {
            Some(step) => self.status != Status::Running && self.steps.contains_key(&step),
            None => !matches!(self.status, Status::Running | Status::Succeeded) && self.status_is_broken(),
        }
    }

    /// Whether there is something to be run again.
    fn status_is_broken(&self) -> bool {
        let is_broken = |is| matches!(is, StepIs::Failed | StepIs::Cancelled);
        self.status.has_ended() || self.steps.values().any(|step| is_broken(step.is) && step.output.is_none())
    }

    /// Goes on with another plan from the next retry on.
    pub(crate) fn replace_plan(&mut self, plan: Arc<Plan>) {
        // Steps know their nodes by their places in the plan that they were begun with; only a retry, which begins
        // anew, may change it. What comes after the step that it begins with is found in the plan of before.
        self.next_plan = Some(plan);
    }

    pub(super) fn start_again(&mut self, from: Option<u32>, then: &mut VecDeque<Then>) {
        let anew = from.map(|step| self.anew(step)).unwrap_or_default();
        let is_anew = |path: &str| {
            anew.iter().any(|begins| {
                path.strip_prefix(begins.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
            })
        };
        let around = from.map(|step| self.around(step)).unwrap_or_default();
        for (number, step) in std::mem::take(&mut self.steps) {
            let keeps = !is_anew(&step.path) && !around.contains(&number);
            let waits = step.is == StepIs::Waiting;
            let is_open =
                matches!(step.is, StepIs::Performing | StepIs::Ready | StepIs::Backoff | StepIs::Inside);
            let carried = Carried {
                number,
                // What is at work outside, or about to be, goes on under its name.
                generation: step.generation
                    + u32::from(!keeps || !(is_open || waits || step.output.is_some())),
                is: step.is,
                output: step.output.filter(|_| keeps),
                port: step.port.filter(|_| keeps),
                wait: step.wait.filter(|_| keeps && waits),
                error: step.error.filter(|_| keeps),
                cached_from: step.cached_from.filter(|_| keeps),
                failures: if keeps { step.failures } else { 0 },
                began: step.began,
                ended: step.ended,
            };
            self.carried.insert(step.path, carried);
        }
        for opened in std::mem::take(&mut self.scopes) {
            self.carried_inputs.insert(opened.prefix, opened.input);
        }
        if let Some(plan) = self.next_plan.take() {
            self.plan = plan;
        }
        self.ready.clear();
        self.timers.clear();
        self.listeners.clear();
        self.asking.clear();
        self.retries += 1;
        self.status = Status::Running;
        self.error = None;
        self.output = None;
        self.open(0, None, Arc::from(""), Arc::clone(&self.input), false, then);
    }

    /// Paths of what is run anew: the step and all that comes after it, and after the bodies that it is in.
    fn anew(&self, number: u32) -> Vec<String> {
        let mut anew = Vec::new();
        let mut at = self.steps.get(&number);
        let mut is_first = true;
        while let Some(step) = at {
            let opened = &self.scopes[step.scope];
            let nodes = &self.plan.scopes[opened.plan].nodes;
            for node in self.plan.after(opened.plan, step.node) {
                // The bodies around it are entered again, and keep what finished in them.
                if node != step.node || is_first {
                    anew.push(format!("{}{}", opened.prefix, nodes[node as usize].key));
                }
            }
            is_first = false;
            at = opened.container.and_then(|(container, _)| self.steps.get(&container));
        }
        anew
    }

    /// The steps whose bodies a step is in.
    fn around(&self, number: u32) -> Vec<u32> {
        let container =
            |step: &super::Step| self.scopes[step.scope].container.map(|(container, _)| container);
        let first = self.steps.get(&number).and_then(container);
        std::iter::successors(first, |number| self.steps.get(number).and_then(container)).collect()
    }
}
