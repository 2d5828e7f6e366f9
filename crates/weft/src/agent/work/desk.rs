//! The task that owns all work: what comes from the mesh, what comes from running work, and the journal between them.

use std::{collections::HashMap, sync::Arc};

use anyhow::Result;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use weft_kit::Lifecycle;
use weft_proto::weft::{
    agent::v1::{AttachAgentRequest, attach_agent_request::Action},
    command::v1::{
        WorkDisposition, WorkOrder, WorkOutput, WorkOutputs, WorkReport, WorkResults, WorkSettlement,
        WorkStart, WorkStop, WorkerReady, work_order::Order, work_report::Report,
    },
};

use super::{
    Message,
    entry::{Entry, Phase},
    event::Event,
    execute::{self, Run},
    journal::{End, Journal},
    settings::CommandSettings,
    tree,
};
use crate::agent::home::Home;

/// Events of running work that wait for the desk; whoever writes more waits.
const EVENTS: usize = 64;
/// Pieces of output in one message, and their bytes, about.
const PIECES: usize = 64;
const PIECES_BYTES: usize = 512 << 10;
/// Leases that are announced at most.
const LEASES: usize = 4_096;

pub(super) struct Desk {
    journal: Option<Journal>,
    settings: Arc<CommandSettings>,
    /// What processes of this agent's work are known by.
    mark: String,
    entries: HashMap<String, Entry>,
    say: Option<mpsc::Sender<AttachAgentRequest>>,
    places: Arc<Semaphore>,
    /// Whose tasks running work is.
    life: Lifecycle,
    events: mpsc::Sender<Event>,
    heard: mpsc::Receiver<Event>,
}

impl Desk {
    pub(super) fn open(home: &Home, settings: Arc<CommandSettings>, life: Lifecycle) -> Result<Self> {
        let folder = home.0.canonicalize()?;
        let mut journal = Journal::open(&folder)?;
        let mark = folder.display().to_string();
        let mut entries = HashMap::new();
        if let Some(journal) = &mut journal {
            tree::end_leftovers(&mark);
            let mut changed = Vec::new();
            for (id, kept) in journal.kept().clone() {
                let end = match kept.end {
                    Some(end) => end,
                    None if kept.once => {
                        End::failed("INTERRUPTED", "the agent's program ended before it had", false)
                    }
                    // It is handed over again, and begun anew.
                    None => {
                        changed.push((id, None));
                        continue;
                    }
                };
                let entry = Entry {
                    attempt: kept.attempt,
                    fence: kept.fence,
                    once: kept.once,
                    is_kept: true,
                    phase: Phase::Ended(end),
                    output: Vec::new(),
                    is_over: false,
                    next: None,
                };
                changed.push((id.clone(), entry.kept()));
                entries.insert(id, entry);
            }
            journal.write(&changed)?;
        } else {
            tracing::warn!("another program works from this folder: this one takes no commands");
        }
        let (events, heard) = mpsc::channel(EVENTS);
        let places = Arc::new(Semaphore::new(settings.max_parallel.into()));
        Ok(Self { journal, settings, mark, entries, say: None, places, life, events, heard })
    }

    pub(super) async fn run(mut self, mut messages: mpsc::UnboundedReceiver<Message>) {
        let mut events = Vec::new();
        loop {
            tokio::select! {
                biased;
                message = messages.recv() => match message {
                    None => return,
                    Some(Message::Connected(say)) => {
                        self.say = Some(say);
                        self.announce().await;
                    }
                    Some(Message::Order(order)) => self.obey(order).await,
                    Some(Message::Stop(done)) => return self.stop(done).await,
                },
                _ = self.heard.recv_many(&mut events, EVENTS) => self.take(&mut events).await,
            }
        }
    }

    /// Ends everything that runs. What is in the journal stays there for the next life.
    async fn stop(mut self, done: oneshot::Sender<()>) {
        let mut running = 0;
        for entry in self.entries.values() {
            if let Phase::Running(stop) = &entry.phase {
                stop.cancel();
                running += 1;
            }
        }
        while running > 0 {
            if let Some(Event::Ended { .. }) = self.heard.recv().await {
                running -= 1;
            }
        }
        // Whoever waited has gone.
        let _ = done.send(());
    }

    async fn obey(&mut self, order: WorkOrder) {
        match order.order {
            Some(Order::Starts(starts)) => self.start(starts.starts).await,
            Some(Order::Stops(stops)) => {
                for stop in stops.stops {
                    self.end(stop).await;
                }
            }
            Some(Order::Settlements(settled)) => {
                for settlement in settled.settlements {
                    self.settle(&settlement);
                }
            }
            Some(Order::Announce(_)) => self.announce().await,
            None => {}
        }
    }

    /// Tells what there is: it takes work, it has this, and this has come of it.
    async fn announce(&mut self) {
        let slots = if self.journal.is_some() { self.settings.max_parallel } else { 0 };
        let leases = self.entries.iter().take(LEASES).map(|(id, entry)| entry.lease(id)).collect();
        self.say(Report::Ready(WorkerReady { slot_count: slots.into(), leases })).await;
        let ids: Vec<String> = self.entries.keys().cloned().collect();
        for id in ids {
            self.tell_all(&id).await;
        }
    }

    /// All that has come of a target so far.
    async fn tell_all(&mut self, id: &str) {
        let Some(entry) = self.entries.get(id) else { return };
        let (outputs, result) = (entry.outputs(id, 0), entry.result(id));
        self.say_outputs(outputs).await;
        if let Some(result) = result {
            self.say(Report::Results(WorkResults { results: vec![result] })).await;
        }
    }

    async fn start(&mut self, starts: Vec<WorkStart>) {
        let mut fresh = Vec::new();
        for start in starts {
            match self.entries.get_mut(&start.id) {
                None => fresh.push(start),
                // The same work under a new number: it goes on, or has ended.
                Some(entry) if entry.attempt == start.attempt => {
                    (entry.fence, entry.is_over) = (start.fence, false);
                    let written = (start.id.clone(), entry.kept());
                    self.write(&[written]);
                    self.tell_all(&start.id).await;
                }
                Some(entry) => match &entry.phase {
                    Phase::Running(stop) => {
                        stop.cancel();
                        entry.next = Some(start);
                    }
                    // There is another attempt, so the end of this one is known.
                    Phase::Ended(_) => {
                        self.entries.remove(&start.id);
                        fresh.push(start);
                    }
                },
            }
        }
        self.begin(fresh);
    }

    /// Begins targets: they are on disk before their first effect.
    fn begin(&mut self, starts: Vec<WorkStart>) {
        if starts.is_empty() {
            return;
        }
        let mut written = Vec::new();
        let mut tokens = Vec::new();
        for start in &starts {
            let stop = CancellationToken::new();
            let entry = Entry {
                attempt: start.attempt,
                fence: start.fence,
                once: start.fail_if_interrupted,
                is_kept: execute::has_effects(start),
                phase: Phase::Running(stop.clone()),
                output: Vec::new(),
                is_over: false,
                next: None,
            };
            written.extend(entry.kept().map(|kept| (start.id.clone(), Some(kept))));
            self.entries.insert(start.id.clone(), entry);
            tokens.push(stop);
        }
        let is_written = self.write(&written);
        for (start, stop) in starts.into_iter().zip(tokens) {
            let run = Run {
                refused: (!is_written).then(|| "the agent's journal cannot be written".to_owned()),
                start,
                stop,
                settings: Arc::clone(&self.settings),
                mark: self.mark.clone(),
                places: Arc::clone(&self.places),
                events: self.events.clone(),
            };
            self.life.spawn_future(run.run());
        }
    }

    /// Stops a target. One that is not known is none any more, and that is said.
    async fn end(&mut self, stop: WorkStop) {
        match self.entries.get_mut(&stop.id) {
            Some(entry) if entry.fence == stop.fence => match &entry.phase {
                Phase::Running(token) => token.cancel(),
                Phase::Ended(_) => self.tell_all(&stop.id).await,
            },
            Some(_) => {}
            None => {
                let entry = Entry {
                    attempt: 0,
                    fence: stop.fence,
                    once: false,
                    is_kept: false,
                    phase: Phase::Ended(End::cancelled()),
                    output: Vec::new(),
                    is_over: false,
                    next: None,
                };
                self.entries.insert(stop.id.clone(), entry);
                self.tell_all(&stop.id).await;
            }
        }
    }

    fn settle(&mut self, settlement: &WorkSettlement) {
        let Some(entry) = self.entries.get_mut(&settlement.id) else { return };
        let is_known = match settlement.disposition() {
            WorkDisposition::Recorded => entry.fence == settlement.fence,
            WorkDisposition::Over => true,
            WorkDisposition::Keep | WorkDisposition::Unspecified => return,
        };
        match &entry.phase {
            _ if !is_known => {}
            Phase::Ended(_) => {
                self.entries.remove(&settlement.id);
                self.write(&[(settlement.id.clone(), None)]);
            }
            Phase::Running(stop) => {
                entry.is_over = true;
                stop.cancel();
            }
        }
    }

    /// What running work tells: ends are on disk before they are told.
    async fn take(&mut self, events: &mut Vec<Event>) {
        let (mut outputs, mut written, mut results, mut next) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for event in events.drain(..) {
            match event {
                Event::Wrote { id, stream, data } => {
                    let Some(entry) = self.entries.get_mut(&id) else { continue };
                    entry.output.push((stream, data));
                    outputs.extend(entry.outputs(&id, entry.output.len() - 1));
                }
                Event::Ended { id, end } => {
                    let Some(entry) = self.entries.get_mut(&id) else { continue };
                    entry.phase = Phase::Ended(end);
                    if entry.is_over || entry.next.is_some() {
                        next.extend(entry.next.take());
                        self.entries.remove(&id);
                        written.push((id, None));
                        continue;
                    }
                    written.extend(entry.kept().map(|kept| (id.clone(), Some(kept))));
                    results.extend(entry.result(&id));
                }
            }
        }
        self.write(&written);
        self.say_outputs(outputs).await;
        if !results.is_empty() {
            self.say(Report::Results(WorkResults { results })).await;
        }
        self.begin(next);
    }

    /// Whether it is on disk.
    fn write(&mut self, targets: &[(String, Option<super::journal::Kept>)]) -> bool {
        let written = self.journal.as_mut().map(|journal| journal.write(targets));
        match written {
            Some(Err(error)) => {
                tracing::error!(%error, "the journal of commands cannot be written");
                false
            }
            Some(Ok(())) | None => true,
        }
    }

    async fn say_outputs(&mut self, outputs: Vec<WorkOutput>) {
        let (mut part, mut bytes) = (Vec::new(), 0);
        for output in outputs {
            bytes += output.data.len();
            part.push(output);
            if part.len() == PIECES || bytes >= PIECES_BYTES {
                bytes = 0;
                self.say(Report::Outputs(WorkOutputs { outputs: std::mem::take(&mut part) })).await;
            }
        }
        if !part.is_empty() {
            self.say(Report::Outputs(WorkOutputs { outputs: part })).await;
        }
    }

    /// Where there is no connection it is said when there is one again.
    async fn say(&mut self, report: Report) {
        let Some(say) = &self.say else { return };
        let action = Some(Action::Work(WorkReport { report: Some(report) }));
        let frame = AttachAgentRequest { action, ..AttachAgentRequest::default() };
        if say.send(frame).await.is_err() {
            self.say = None;
        }
    }
}
