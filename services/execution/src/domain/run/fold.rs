//! The fold: an event, and what becomes of the run.

use std::{collections::VecDeque, sync::Arc};

use serde_json::{Map, Value as Json, json};

use super::{Body, Is, Opened, Place, Run, STEPS, Status, Step, StepIs, carried::Carried};
use crate::{
    domain::{
        event::{Event, Value, Wait},
        fault::StepError,
        workflow::{ERROR, OUT},
    },
    kinds::Shape,
};

/// What follows from something, done one after the other: workflows may be as deep as they are large.
pub(super) enum Then {
    /// An edge to a node brings a value, or word that none comes.
    Bring { scope: usize, node: u32, from: u32, value: Option<Value> },
    /// Every node of a scope is resolved.
    Close(usize),
    /// A step has given what it was carried over with.
    Carried { step: u32, carried: Box<Carried> },
}

impl Run {
    /// Changes the state as an event says. An event that means nothing any more changes nothing.
    pub(crate) fn apply(&mut self, at: i64, event: Event) {
        self.at = at;
        self.changes += 1;
        let mut then = VecDeque::new();
        match event {
            Event::Began { input } => {
                self.input = Arc::clone(&input);
                self.open(0, None, Arc::from(""), input, false, &mut then);
            }
            Event::Gave { step, port, value } => self.gave(step, port.as_deref(), value, &mut then),
            Event::Recalled { step, value, from } => {
                if let Some(step) = self.steps.get_mut(&step).filter(|step| !step.is.has_ended()) {
                    step.cached_from = Some(from);
                }
                self.gave(step, None, value, &mut then);
            }
            Event::Failed { step, error, again_at } => self.failed(step, error, again_at, &mut then),
            Event::Waits { step, wait } => self.waits(step, wait),
            Event::Entered { step, value } => self.entered(step, value, &mut then),
            Event::Round { step } => self.next_bodies(step, &mut then),
            Event::Signal { name, value, once } => {
                self.requests.extend(once);
                self.signals.entry(name).or_default().push_back(value);
            }
            Event::Paused if matches!(self.status, Status::Running | Status::Queued) => {
                self.status = Status::Paused;
            }
            Event::Resumed if self.status == Status::Paused => {
                self.status = if self.has_started { Status::Running } else { Status::Queued };
                self.error = None;
            }
            Event::Queued if self.status == Status::Running => {
                (self.status, self.has_started) = (Status::Queued, false);
            }
            Event::Started if self.status == Status::Queued => {
                (self.status, self.has_started) = (Status::Running, true);
                // Their turn comes now.
                let (at, changes) = (self.at, self.changes);
                for step in self.steps.values_mut().filter(|step| step.is == StepIs::Ready) {
                    (step.began, step.changed) = (at, changes);
                }
            }
            Event::Dropped { error } => self.end(Status::Cancelled, Some((None, error))),
            Event::Cancelled => self.end(Status::Cancelled, None),
            Event::Terminated => self.end(Status::Terminated, None),
            Event::TimedOut => {
                let error = StepError::new("TIMEOUT", "the run took longer than it may");
                self.end(Status::Failed, Some((None, error)));
            }
            Event::Retried { from, once, .. } => {
                self.requests.extend(once);
                self.start_again(from, &mut then);
            }
            Event::Paused | Event::Resumed | Event::Queued | Event::Started => {}
        }
        self.follow(&mut then);
    }

    fn follow(&mut self, then: &mut VecDeque<Then>) {
        while let Some(next) = then.pop_front() {
            if self.status.has_ended() {
                return;
            }
            match next {
                Then::Bring { scope, node, from, value } => self.bring(scope, node, from, value, then),
                Then::Close(scope) => self.close(scope, then),
                Then::Carried { step, carried } => self.take_over(step, *carried, then),
            }
        }
    }

    /// Opens a scope: nodes that nothing leads to begin.
    pub(super) fn open(
        &mut self,
        plan: usize,
        container: Option<(u32, usize)>,
        prefix: Arc<str>,
        input: Value,
        was_fresh: bool,
        then: &mut VecDeque<Then>,
    ) {
        let scope = self.scopes.len();
        let before = self.carried_inputs.remove(&prefix);
        let is_fresh = was_fresh || before.is_some_and(|before| before != input);
        let nodes: Vec<Place> = self.plan.scopes[plan]
            .nodes
            .iter()
            .map(|node| Place { pending: node.incoming, brought: Vec::new(), is: Is::Waiting })
            .collect();
        let open = nodes.len();
        let begins: Vec<u32> = (0..open as u32).filter(|node| nodes[*node as usize].pending == 0).collect();
        let given = Arc::clone(&input);
        self.scopes.push(Opened { plan, container, prefix, input, nodes, open, has_ended: false, is_fresh });
        for node in begins {
            self.activate(scope, node, Arc::clone(&given), then);
        }
        if open == 0 {
            then.push_back(Then::Close(scope));
        }
    }

    /// It is a node's turn.
    fn activate(&mut self, scope: usize, node: u32, input: Value, then: &mut VecDeque<Then>) {
        let opened = &self.scopes[scope];
        let key = &self.plan.scopes[opened.plan].nodes[node as usize].key;
        let path = format!("{}{key}", opened.prefix);
        let carried = self.carried.remove(&path);
        let (number, generation) = if let Some(carried) = &carried {
            (carried.number, carried.generation)
        } else {
            self.next_step += 1;
            (self.next_step - 1, 0)
        };
        let is_fresh = opened.is_fresh;
        self.scopes[scope].nodes[node as usize].is = Is::Active(number);
        let step = Step {
            number,
            scope,
            node,
            path,
            is: StepIs::Ready,
            input,
            output: None,
            port: None,
            error: None,
            cached_from: None,
            failures: 0,
            generation,
            began: self.at,
            ended: None,
            wait: None,
            due: None,
            body: None,
            changed: self.changes,
        };
        self.steps.insert(number, step);
        match carried {
            Some(carried) if carried.holds() && !is_fresh => {
                then.push_back(Then::Carried { step: number, carried: Box::new(carried) });
            }
            _ => self.ready.push_back(number),
        }
        if number > STEPS {
            let error = StepError::new("TOO_MANY_STEPS", format!("more than {STEPS} steps"));
            self.end(Status::Failed, Some((Some(number), error)));
        }
    }

    /// What a step was before a retry, it is again.
    fn take_over(&mut self, number: u32, carried: Carried, then: &mut VecDeque<Then>) {
        let Some(step) = self.steps.get_mut(&number) else { return };
        (step.began, step.failures, step.error) = (carried.began, carried.failures, carried.error);
        step.cached_from = carried.cached_from;
        if let Some(wait) = carried.wait {
            return self.waits(number, wait);
        }
        let port = carried.port.unwrap_or_else(|| OUT.to_owned());
        let is = carried.is;
        self.finish(number, is, &port, &carried.output.unwrap_or_default(), then);
        if let Some(step) = self.steps.get_mut(&number) {
            step.ended = carried.ended;
        }
    }

    fn gave(&mut self, number: u32, port: Option<&str>, value: Option<Value>, then: &mut VecDeque<Then>) {
        let Some(step) = self.steps.get(&number).filter(|step| !step.is.has_ended()) else { return };
        if let Some(signal) = step.wait.as_ref().and_then(|wait| wait.signal.clone())
            && port.is_none()
            && let Some(came) = self.signals.get_mut(&signal)
        {
            came.pop_front();
            if came.is_empty() {
                self.signals.remove(&signal);
            }
        }
        let step = &self.steps[&number];
        let value = value.unwrap_or_else(|| {
            let rounds = step.body.as_ref().and_then(|body| body.inputs.last());
            Arc::clone(rounds.unwrap_or(&step.input))
        });
        self.finish(number, StepIs::Succeeded, port.unwrap_or(OUT), &value, then);
    }

    /// A step has ended, and its value goes on by the ways that leave by a port.
    fn finish(&mut self, number: u32, is: StepIs, port: &str, value: &Value, then: &mut VecDeque<Then>) {
        self.quiet(number);
        let (at, changes) = (self.at, self.changes);
        let Some(step) = self.steps.get_mut(&number) else { return };
        (step.is, step.ended, step.changed) = (is, Some(at), changes);
        step.output = Some(Arc::clone(value));
        step.body = None;
        let (scope, node) = (step.scope, step.node);
        step.port = Some(port.to_owned());
        let opened = &mut self.scopes[scope];
        opened.nodes[node as usize].is = Is::Done(number);
        opened.nodes[node as usize].brought = Vec::new();
        opened.open -= 1;
        let planned = &self.plan.scopes[opened.plan].nodes[node as usize];
        for (way, target) in &planned.outgoing {
            let value = planned.carries(way, port).then(|| Arc::clone(value));
            then.push_back(Then::Bring { scope, node: *target, from: node, value });
        }
        if opened.open == 0 {
            then.push_back(Then::Close(scope));
        }
    }

    fn bring(&mut self, scope: usize, node: u32, from: u32, value: Option<Value>, then: &mut VecDeque<Then>) {
        let opened = &mut self.scopes[scope];
        if opened.has_ended {
            return;
        }
        let place = &mut opened.nodes[node as usize];
        place.pending -= 1;
        if place.is != Is::Waiting {
            return;
        }
        place.brought.extend(value.map(|value| (from, value)));
        let planned = &self.plan.scopes[opened.plan].nodes[node as usize];
        let needed = match planned.shape {
            Shape::Merge { needed } if needed > 0 => needed as usize,
            _ => usize::MAX,
        };
        if place.brought.len() >= needed
            || (place.pending == 0 && !place.brought.is_empty() && needed == usize::MAX)
        {
            let brought = std::mem::take(&mut place.brought);
            let input = match planned.shape {
                Shape::Merge { needed } if needed != 1 => {
                    let nodes = &self.plan.scopes[opened.plan].nodes;
                    let member = |(from, value): (u32, Value)| {
                        (nodes[from as usize].key.to_string(), (*value).clone())
                    };
                    Arc::new(Json::Object(brought.into_iter().map(member).collect::<Map<_, _>>()))
                }
                _ => brought.into_iter().next().map(|(_, value)| value).unwrap_or_default(),
            };
            return self.activate(scope, node, input, then);
        }
        if place.pending == 0 {
            place.is = Is::Skipped;
            place.brought = Vec::new();
            opened.open -= 1;
            for (_, target) in &planned.outgoing {
                then.push_back(Then::Bring { scope, node: *target, from: node, value: None });
            }
            if opened.open == 0 {
                then.push_back(Then::Close(scope));
            }
        }
    }

    /// A scope is done: its value is the run's, or goes to the step whose body it is.
    fn close(&mut self, scope: usize, then: &mut VecDeque<Then>) {
        if self.scopes[scope].has_ended || self.status.has_ended() {
            return;
        }
        let value = self.value_of(scope);
        let opened = &mut self.scopes[scope];
        opened.has_ended = true;
        let Some((container, number)) = opened.container else {
            self.output = Some(value);
            return self.end(Status::Succeeded, None);
        };
        opened.nodes = Vec::new();
        self.body_ended(container, number, value, then);
    }

    /// What a scope's `output` nodes were given.
    fn value_of(&self, scope: usize) -> Value {
        let opened = &self.scopes[scope];
        let plan = &self.plan.scopes[opened.plan];
        let given = |node: &u32| match opened.nodes[*node as usize].is {
            Is::Done(step) => self.steps[&step].output.clone(),
            _ => None,
        };
        match plan.outputs.as_slice() {
            [] => Value::default(),
            [one] => given(one).unwrap_or_default(),
            several => {
                let member = |node: &u32| {
                    given(node).map(|value| (plan.nodes[*node as usize].key.to_string(), (*value).clone()))
                };
                Arc::new(Json::Object(several.iter().filter_map(member).collect()))
            }
        }
    }

    fn body_ended(&mut self, container: u32, number: usize, value: Value, then: &mut VecDeque<Then>) {
        let Some(step) = self.steps.get(&container).filter(|step| step.is == StepIs::Inside) else { return };
        let shape = self.planned(step).shape;
        let Some(body) = self.steps.get_mut(&container).and_then(|step| step.body.as_mut()) else { return };
        body.live -= 1;
        match shape {
            Shape::Each { .. } => {
                body.results[number] = Some(value);
                self.next_bodies(container, then);
            }
            Shape::Loop { .. } => {
                body.inputs = vec![value];
                self.ask(container);
            }
            _ => self.finish(container, StepIs::Succeeded, OUT, &value, then),
        }
    }

    /// It is a step's turn again, to say what happens next.
    fn ask(&mut self, number: u32) {
        if let Some(step) = self.steps.get_mut(&number) {
            step.is = StepIs::Ready;
            self.ready.push_back(number);
        }
    }

    fn entered(&mut self, number: u32, value: Option<Value>, then: &mut VecDeque<Then>) {
        let Some(step) = self.steps.get(&number).filter(|step| !step.is.has_ended()) else { return };
        let value = value.unwrap_or_else(|| Arc::clone(&step.input));
        let inputs = match (self.planned(step).shape, value.as_ref()) {
            (Shape::Each { .. }, Json::Array(items)) => items.iter().cloned().map(Arc::new).collect(),
            _ => vec![value],
        };
        let results = vec![None; inputs.len()];
        if let Some(step) = self.steps.get_mut(&number) {
            step.body = Some(Body { inputs, results, ..Body::default() });
        }
        self.next_bodies(number, then);
    }

    /// Opens as many bodies of a step as may be open; it is done when all were and have ended.
    fn next_bodies(&mut self, number: u32, then: &mut VecDeque<Then>) {
        loop {
            let Some(step) = self.steps.get(&number).filter(|step| !step.is.has_ended()) else { return };
            let planned = self.planned(step);
            let Some(plan) = planned.body else { return };
            let (shape, key) = (planned.shape, Arc::clone(&planned.key));
            let (scope, changes) = (step.scope, self.changes);
            let (prefix, is_fresh) = (Arc::clone(&self.scopes[scope].prefix), self.scopes[scope].is_fresh);
            let Some(step) = self.steps.get_mut(&number) else { return };
            let Some(body) = step.body.as_mut() else { return };
            step.is = StepIs::Inside;
            step.changed = changes;
            let (input, at_once) = match shape {
                Shape::Each { parallel, .. } => (body.inputs.get(body.opened).cloned(), parallel),
                Shape::Loop { .. } => (body.inputs.last().cloned(), 1),
                _ => (body.inputs.first().cloned(), 1),
            };
            if let Some(input) = input.filter(|_| body.live < at_once) {
                let place = body.opened;
                body.opened += 1;
                body.live += 1;
                let prefix = match shape {
                    Shape::Each { .. } | Shape::Loop { .. } => format!("{prefix}{key}[{place}]/"),
                    _ => format!("{prefix}{key}/"),
                };
                self.open(plan, Some((number, place)), Arc::from(prefix), input, is_fresh, then);
                if matches!(shape, Shape::Each { .. }) {
                    continue;
                }
                return;
            }
            if body.live == 0 {
                let results =
                    body.results.iter().map(|result| result.as_deref().cloned().unwrap_or_default());
                let results = Arc::new(Json::Array(results.collect()));
                self.finish(number, StepIs::Succeeded, OUT, &results, then);
            }
            return;
        }
    }

    fn waits(&mut self, number: u32, wait: Wait) {
        let changes = self.changes;
        let Some(step) = self.steps.get_mut(&number).filter(|step| !step.is.has_ended()) else { return };
        (step.is, step.changed) = (StepIs::Waiting, changes);
        if let Some(until) = wait.until {
            self.timers.insert((until, number));
        }
        if let Some(signal) = &wait.signal {
            self.listeners.entry(signal.clone()).or_default().insert(number);
        }
        if wait.approval.is_some() {
            self.asking.insert(number);
        }
        step.wait = Some(wait);
    }

    fn failed(&mut self, number: u32, error: StepError, again_at: Option<i64>, then: &mut VecDeque<Then>) {
        let changes = self.changes;
        let Some(step) = self.steps.get_mut(&number).filter(|step| !step.is.has_ended()) else { return };
        step.failures += 1;
        step.changed = changes;
        step.error = Some(error);
        if let Some(at) = again_at {
            (step.is, step.due) = (StepIs::Backoff, Some(at));
            self.timers.insert((at, number));
            return;
        }
        self.fail(number, then);
    }

    /// A step has failed for good: to whoever takes it, or up to the run.
    fn fail(&mut self, number: u32, then: &mut VecDeque<Then>) {
        let Some(step) = self.steps.get(&number) else { return };
        let failure = Self::failure(step);
        if self.planned(step).catches() {
            return self.finish(number, StepIs::Failed, ERROR, &failure, then);
        }
        let Some((taker, shape, body)) = self.taker(number) else {
            let error = step.error.clone().unwrap_or_else(|| StepError::new("FAILED", ""));
            self.give_up(number);
            let why = Some((Some(number), error));
            if self.start.pause_on_failure {
                self.error = why;
                self.status = Status::Paused;
            } else {
                self.end(Status::Failed, why);
            }
            return;
        };
        self.give_up(number);
        // Everything between the step and whoever takes the failure ends.
        if let Shape::Each { keep_going: true, .. } = shape {
            self.end_scope(body);
            let Some((_, place)) = self.scopes[body].container else { return };
            let Some(body) = self.steps.get_mut(&taker).and_then(|step| step.body.as_mut()) else { return };
            body.live -= 1;
            body.results[place] = Some(Arc::new(json!({"error": failure.as_ref()})));
            return self.next_bodies(taker, then);
        }
        let error = step_error(&self.steps, number);
        self.end_bodies(taker);
        if let Some(step) = self.steps.get_mut(&taker) {
            step.error = error;
        }
        let is = if shape == Shape::Try { StepIs::Succeeded } else { StepIs::Failed };
        self.finish(taker, is, ERROR, &failure, then);
    }

    /// The step around a failed one that takes its failure, its shape, and the scope of its that the failure is in.
    fn taker(&self, number: u32) -> Option<(u32, Shape, usize)> {
        let mut scope = self.steps.get(&number)?.scope;
        loop {
            let (container, _) = self.scopes[scope].container?;
            let step = self.steps.get(&container)?;
            let planned = self.planned(step);
            let takes = matches!(planned.shape, Shape::Try | Shape::Each { keep_going: true, .. });
            if takes || planned.catches() {
                return Some((container, planned.shape, scope));
            }
            scope = step.scope;
        }
    }

    /// Marks a step as failed for good.
    fn give_up(&mut self, number: u32) {
        self.quiet(number);
        let (at, changes) = (self.at, self.changes);
        if let Some(step) = self.steps.get_mut(&number) {
            (step.is, step.ended, step.changed) = (StepIs::Failed, Some(at), changes);
        }
    }

    /// Ends all bodies of a step.
    fn end_bodies(&mut self, container: u32) {
        let bodies = (0..self.scopes.len())
            .filter(|scope| self.scopes[*scope].container.is_some_and(|(step, _)| step == container));
        for scope in bodies.collect::<Vec<_>>() {
            self.end_scope(scope);
        }
    }

    /// Ends a scope and all that is inside it.
    fn end_scope(&mut self, scope: usize) {
        let mut ends = std::collections::HashSet::from([scope]);
        // Bodies are opened after the scope of the step that they are of.
        for inner in scope..self.scopes.len() {
            let is_inside = self.scopes[inner]
                .container
                .and_then(|(step, _)| self.steps.get(&step))
                .is_some_and(|step| ends.contains(&step.scope));
            if is_inside {
                ends.insert(inner);
            }
        }
        for scope in &ends {
            self.scopes[*scope].has_ended = true;
            self.scopes[*scope].nodes = Vec::new();
        }
        let inside = self.steps.values().filter(|step| ends.contains(&step.scope) && !step.is.has_ended());
        for number in inside.map(|step| step.number).collect::<Vec<_>>() {
            self.cancel_step(number);
        }
    }

    fn cancel_step(&mut self, number: u32) {
        self.quiet(number);
        let (at, changes) = (self.at, self.changes);
        if let Some(step) = self.steps.get_mut(&number) {
            if step.is == StepIs::Performing {
                self.stops.push(number);
            }
            (step.is, step.ended, step.changed) = (StepIs::Cancelled, Some(at), changes);
            step.body = None;
        }
    }

    /// Nothing wakes a step any more.
    fn quiet(&mut self, number: u32) {
        let Some(step) = self.steps.get_mut(&number) else { return };
        if let Some(due) = step.due.take() {
            self.timers.remove(&(due, number));
        }
        let Some(wait) = step.wait.take() else { return };
        self.asking.remove(&number);
        if let Some(until) = wait.until {
            self.timers.remove(&(until, number));
        }
        if let Some(signal) = wait.signal
            && let Some(listeners) = self.listeners.get_mut(&signal)
        {
            listeners.remove(&number);
            if listeners.is_empty() {
                self.listeners.remove(&signal);
            }
        }
    }

    /// The run has ended.
    fn end(&mut self, status: Status, error: Option<(Option<u32>, StepError)>) {
        if self.status.has_ended() {
            return;
        }
        self.status = status;
        // Whether it has a place is asked anew where it goes on.
        self.has_started = true;
        self.error = error;
        self.ready.clear();
        let open = self.steps.values().filter(|step| !step.is.has_ended()).map(|step| step.number);
        for number in open.collect::<Vec<_>>() {
            self.cancel_step(number);
        }
    }
}

fn step_error(steps: &std::collections::BTreeMap<u32, Step>, number: u32) -> Option<StepError> {
    steps.get(&number).and_then(|step| step.error.clone())
}
