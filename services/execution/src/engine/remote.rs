//! Steps that workers do: given out when it is their turn, recorded once, given to others when their worker is lost.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use weft_proto::weft::execution::v1::{TaskDisposition, TaskStopReason};

use super::{
    message::{Attach, Attached, OfWorkers, Said},
    shard::Shard,
    turns::{StepKey, Turn},
    workers::{Due, Handed, Line, Result as TaskResult, Token, Told, Worker},
};
use crate::{
    Error,
    domain::{fault::StepError, message, name},
    kinds,
};

/// How many workers one attempt of a step may take down with it before it has failed.
const MOST_LOST: u32 = 3;

impl Shard {
    /// Something of workers.
    pub(super) fn of_workers(&mut self, told: OfWorkers, now: i64, chance: f64) {
        match told {
            OfWorkers::Attach(attach, answer) => {
                let attached = self.attach(*attach, now);
                if let Err(Ok(gone)) = answer.send(attached) {
                    // Whoever came does not wait for the answer, so no stream will say that it has ended.
                    self.away(gone.line.worker, now, chance);
                }
            }
            OfWorkers::Said(line, said) => {
                if self.workers.of_line(line).is_none() {
                    return;
                }
                match said {
                    Said::Results(results) => self.results(line.worker, results, now, chance),
                    Said::Progress(all) => {
                        for (token, progress) in all {
                            self.workers.progress(line.worker, token, progress);
                        }
                    }
                    Said::Slots(slots) => {
                        if let Some(worker) = self.workers.of_line(line) {
                            worker.about.slots = slots;
                            self.turns.set_slots(line.worker, slots);
                        }
                    }
                    Said::Leave => {
                        if let Some(worker) = self.workers.of_line(line) {
                            worker.is_leaving = true;
                            self.turns.unserve(line.worker);
                            self.see_off(line.worker);
                        }
                    }
                    Said::Away => self.away(line.worker, now, chance),
                }
            }
        }
    }

    fn attach(&mut self, attach: Attach, now: i64) -> Result<Attached, Error> {
        let Attach { about, session, tokens, tell } = attach;
        if self.draining.is_some() {
            return Err(Error::Draining);
        }
        let found = session.and_then(|session| self.workers.find(&about.project, session));
        let most = self.parts.options.max_workers_per_project;
        if found.is_none() && self.workers.of_project(&about.project) >= most {
            return Err(Error::TooManyWorkers(most));
        }
        self.streams += 1;
        let number = if let Some(number) = found {
            self.turns.set_slots(number, about.slots);
            number
        } else {
            self.turns.add_worker(about.slots)
        };
        let line = Line { worker: number, stream: self.streams };
        let new = (self.parts.ids.uuid(), self.parts.ids.uuid(), now);
        self.workers.attach(line, about, tell, new);
        self.reclaim(number, &tokens, now);
        self.serve(number);
        let worker = self.workers.get(number).expect("it has come");
        Ok(Attached { line, uid: worker.uid(), session: worker.session, resumed: found.is_some() })
    }

    /// A worker says which tasks it has. What it does not name never reached it, and what it names may be its own again.
    fn reclaim(&mut self, number: u32, tokens: &[String], now: i64) {
        let named: Vec<_> = tokens.iter().map(|text| Token::parse(text)).collect();
        let known: HashSet<_> = named.iter().flatten().copied().collect();
        for ticket in self.workers.tasks(number) {
            let Some(held) = self.workers.held(ticket) else { continue };
            match held.over {
                // It may not have heard of it.
                Some(reason) if known.contains(&held.token) => {
                    let stop = Told::Stops(vec![(held.token, reason)]);
                    if let Some(worker) = self.workers.get(number) {
                        // It has come a moment ago: where it is gone again, its stream says so.
                        worker.say(stop);
                    }
                }
                None if known.contains(&held.token) => {}
                over => {
                    let Some(held) = self.workers.take(ticket) else { continue };
                    if over.is_some() {
                        self.turns.ended(ticket);
                    } else {
                        self.turns.give_back(held.turn);
                    }
                }
            }
        }
        let mut stale = Vec::new();
        for token in known {
            if self.workers.ticket(number, token).is_some() {
                continue;
            }
            let Some(worker) = self.workers.get(number) else { return };
            let about = &worker.about;
            let is_own =
                self.lives.get(token.step.0).is_some_and(|live| live.row.execution.project == about.project);
            let serves = |queue: &str| about.queues.iter().any(|served| **served == *queue);
            let adopted = if is_own {
                self.turns.adopt((token.step, token.failures), number, serves, now)
            } else {
                None
            };
            match adopted {
                Some(turn) => drop(self.hold(turn, now)),
                None => stale.push((token, TaskDisposition::Stale)),
            }
        }
        self.parts.meter.stale.inc_by(stale.len() as u64);
        if let Some(worker) = self.workers.get(number).filter(|_| !stale.is_empty()) {
            worker.say(Told::Settled(stale));
        }
    }

    /// A worker can be given tasks of its queues from now on; where the shard was taken a moment ago, as soon as those that had
    /// tasks of before have had the time to say so.
    fn serve(&mut self, number: u32) {
        if self.hold_until.is_some() {
            return;
        }
        if let Some(worker) = self.workers.get(number).filter(|worker| worker.is_ready()) {
            self.turns.serve(number, &worker.about.project, &worker.about.queues);
        }
    }

    /// Notes that a turn is in its worker's hands.
    fn hold(&mut self, turn: Turn, now: i64) -> Option<Handed> {
        let Some(live) = self.lives.get(turn.execution) else {
            self.turns.ended(turn.ticket);
            return None;
        };
        let performance = &turn.performance;
        let timeout = performance.timeout.unwrap_or(self.parts.options.step_timeout);
        let execution = &live.row.execution;
        let (queue, input) =
            (performance.queue.clone().unwrap_or_default(), Arc::clone(&performance.request));
        let key = kinds::key(execution.uid, performance.step, performance.generation);
        let late = now.saturating_add(i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX));
        let name = name::of_execution(&execution.project, &message::id_of(execution));
        let token = self.workers.hold(turn, execution.name.clone(), (now, late));
        Some(Handed { token, queue, execution: name, key, input, timeout })
    }

    /// Gives a turn to its worker; nothing where nobody wants it any more.
    pub(super) fn hand(&mut self, turn: Turn) -> Option<(u32, Handed)> {
        let key = (turn.performance.step, turn.performance.generation);
        let is_wanted = self.lives.get(turn.execution).is_some_and(|live| live.outside.contains_key(&key));
        if !is_wanted {
            self.turns.ended(turn.ticket);
            return None;
        }
        let (worker, now) = (turn.worker, self.now());
        let handed = self.hold(turn, now)?;
        self.parts.meter.handed.inc();
        Some((worker, handed))
    }

    /// Tells workers what they have been given. One that nobody listens for may come back until its tasks are for others.
    pub(super) fn tell_tasks(&mut self, handed: Vec<(u32, Handed)>) {
        let mut of_worker = BTreeMap::<u32, Vec<Handed>>::new();
        for (worker, task) in handed {
            of_worker.entry(worker).or_default().push(task);
        }
        let now = self.now();
        for (number, tasks) in of_worker {
            if self.workers.get(number).is_some_and(|worker| !worker.say(Told::Tasks(tasks))) {
                self.put_away(number, now);
            }
        }
    }

    /// Tasks have ended, as their worker says.
    fn results(&mut self, worker: u32, results: Vec<TaskResult>, now: i64, chance: f64) {
        let mut settled = Vec::with_capacity(results.len());
        for (token, result) in results {
            let held = self.workers.ticket(worker, token).and_then(|ticket| self.workers.take(ticket));
            let disposition = match held {
                Some(held) => {
                    self.turns.ended(held.turn.ticket);
                    let counts = held.over.is_none() && self.came_of(token.step, (result, None), now, chance);
                    if counts { TaskDisposition::Recorded } else { TaskDisposition::Stale }
                }
                None => TaskDisposition::Stale,
            };
            if disposition == TaskDisposition::Stale {
                self.parts.meter.stale.inc();
            }
            settled.push((token, disposition));
        }
        let Some(tell) = self.workers.get(worker).map(Worker::tell) else { return };
        // Once it is on disk. Fails when the worker has gone away, which says it again when it comes back.
        self.told.push(Box::new(move || drop(tell.send(Told::Settled(settled)))));
        self.see_off(worker);
    }

    /// Lets a worker go that leaves, and has nothing any more.
    fn see_off(&mut self, number: u32) {
        let Some(worker) = self.workers.get(number) else { return };
        if worker.is_leaving && self.workers.tasks(number).is_empty() {
            let tell = worker.tell();
            self.told.push(Box::new(move || drop(tell.send(Told::Left))));
        }
    }

    /// The stream of a worker has ended.
    fn away(&mut self, number: u32, now: i64, chance: f64) {
        let is_leaving = self.workers.get(number).is_some_and(|worker| worker.is_leaving);
        if is_leaving && self.workers.tasks(number).is_empty() {
            self.lose(number, now, chance);
        } else {
            self.put_away(number, now);
        }
    }

    /// A worker is given nothing until it comes back, and has a while to.
    fn put_away(&mut self, number: u32, now: i64) {
        self.turns.unserve(number);
        let grace = i64::try_from(self.parts.options.worker_grace.as_micros()).unwrap_or(i64::MAX);
        self.workers.away(number, now.saturating_add(grace));
    }

    /// A worker does not come back: its tasks are for others.
    fn lose(&mut self, number: u32, now: i64, chance: f64) {
        for ticket in self.workers.tasks(number) {
            let Some(held) = self.workers.take(ticket) else { continue };
            let mut turn = held.turn;
            turn.lost += 1;
            if held.over.is_some() {
                self.turns.ended(ticket);
                continue;
            }
            self.parts.meter.lost.inc();
            if turn.lost < MOST_LOST {
                self.turns.give_back(turn);
                continue;
            }
            self.turns.ended(ticket);
            let problem = format!("{MOST_LOST} workers were lost while they did it");
            self.came_of(
                held.token.step,
                (Err(StepError::passing("WORKER_LOST", problem)), None),
                now,
                chance,
            );
        }
        self.turns.remove_worker(number);
        self.workers.remove(number);
    }

    /// What happens to workers by itself.
    pub(super) fn workers_due(&mut self, now: i64, chance: f64) {
        if self.hold_until.is_some_and(|until| until <= now) {
            self.hold_until = None;
            let ready: Vec<_> = self.workers.ready().map(|(number, _)| number).collect();
            for number in ready {
                self.serve(number);
            }
        }
        while let Some(due) = self.workers.due(now) {
            match due {
                Due::Lost(worker) => self.lose(worker, now, chance),
                Due::Late(ticket) => {
                    let Some(held) = self.workers.held(ticket) else { continue };
                    let (step, timeout) = (held.token.step, held.turn.performance.timeout);
                    let limit = timeout.unwrap_or(self.parts.options.step_timeout);
                    self.workers.end(ticket, TaskStopReason::TimedOut, true);
                    let error = StepError::passing("TIMEOUT", format!("it took longer than {limit:?}"));
                    self.came_of(step, (Err(error), None), now, chance);
                }
            }
        }
    }

    /// A step is not wanted any more. Its worker is told so, unless it is left alone.
    pub(super) fn stop_task(&mut self, step: StepKey, told: bool) {
        if let Some(ticket) = self.workers.ticket_of(step) {
            self.workers.end(ticket, TaskStopReason::Cancelled, told);
        }
    }

    /// When something happens to workers by itself.
    pub(super) fn workers_timer(&self) -> Option<i64> {
        [self.workers.next_timer(), self.hold_until].into_iter().flatten().min()
    }

    pub(super) fn count_workers(&self) {
        let counts = [self.workers.len(), self.turns.waiting_tasks(), self.workers.held_len()];
        self.counted.set(counts);
    }
}
