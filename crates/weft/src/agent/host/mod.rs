//! What people see of this host and do to it, through the agent: questions come over its stream, and each is answered
//! once, over the same connection.
//!
//! `settings` is what its owner allows; `processes` and `ports` read what is there, from what the kernel says (`proc`,
//! `users`), on a thread of their own (`reading`); `list` cuts it into pages; `stop` ends a process; `refusal` says why a question is not answered.

pub(super) mod list;
mod ports;
mod proc;
mod processes;
pub(super) mod reading;
pub(super) mod refusal;
pub(crate) mod settings;
mod stop;
mod users;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};
use weft_kit::Lifecycle;
use weft_proto::weft::agent::v1::{
    AttachAgentRequest, HostAnswer, HostQuestion, HostRefusal, ServiceDeleted, StopProcessResponse,
    attach_agent_request::Action, host_answer::Outcome, host_question::Ask,
};

use super::{knowledge::Knowledge, services::Services};

use self::{
    processes::Processes,
    reading::reading,
    settings::{Allowed, Has, HostSettings},
};

/// Questions that are worked on at a time.
const AT_ONCE: usize = 16;
/// Readers of services' logs who wait at a time.
const READERS: usize = 12;
/// Questions about knowledge files, which may wait for a look at them.
const SEEKERS: usize = 8;
/// No question is worked on for longer.
const LONGEST: Duration = Duration::from_mins(1);

/// What answers questions about this host.
pub(crate) struct Host {
    answerer: Arc<Answerer>,
    /// Where answers go.
    say: Option<mpsc::Sender<AttachAgentRequest>>,
    /// Whose tasks answers are.
    life: Lifecycle,
}

impl Host {
    /// `is_own_host`: the mesh runs in this very process.
    pub(crate) fn new(
        settings: &HostSettings,
        is_own_host: bool,
        services: Services,
        knowledge: Knowledge,
    ) -> Self {
        let allowed = settings.allowed(is_own_host);
        let answerer = Answerer {
            allowed,
            processes: Arc::new(Mutex::new(Processes::new(allowed.command_lines))),
            services,
            knowledge,
            places: Semaphore::new(AT_ONCE),
            readers: Semaphore::new(READERS),
            seekers: Semaphore::new(SEEKERS),
        };
        Self { answerer: Arc::new(answerer), say: None, life: Lifecycle::new() }
    }

    /// What this agent can be asked, for its facts.
    pub(crate) fn capabilities(&self) -> Vec<String> {
        let Answerer { allowed, services, knowledge, .. } = &*self.answerer;
        allowed.capabilities(Has {
            services: services.is_open(),
            knowledge: knowledge.is_open(),
            content: knowledge.shows_content(),
        })
    }

    /// There is a connection: what is to be said goes there.
    pub(crate) fn connected(&mut self, say: mpsc::Sender<AttachAgentRequest>) {
        self.say = Some(say);
    }

    /// Answers a question in its own time.
    pub(crate) fn ask(&self, question: HostQuestion) {
        let (Some(say), answerer) = (self.say.clone(), Arc::clone(&self.answerer)) else { return };
        self.life.spawn_future(async move {
            let id = question.id;
            let outcome = answerer.answer(question).await.unwrap_or_else(Outcome::Refusal);
            let action = Action::HostAnswer(HostAnswer { id, outcome: Some(outcome) });
            let frame = AttachAgentRequest { sequence: 0, acknowledged_sequence: 0, action: Some(action) };
            // A question is over with its connection.
            let _ = say.send(frame).await;
        });
    }
}

struct Answerer {
    allowed: Allowed,
    processes: Arc<Mutex<Processes>>,
    services: Services,
    knowledge: Knowledge,
    places: Semaphore,
    /// Those who wait for lines take no place of those who do not.
    readers: Semaphore,
    /// The same for those who wait for knowledge files.
    seekers: Semaphore,
}

impl Answerer {
    async fn answer(&self, question: HostQuestion) -> Result<Outcome, HostRefusal> {
        let ask = question.ask.ok_or_else(refusal::not_known)?;
        let places = match ask {
            Ask::ReadServiceLog(_) => &self.readers,
            Ask::ListKnowledgeFiles(_)
            | Ask::GetKnowledgeFile(_)
            | Ask::ReadKnowledgeFile(_)
            | Ask::GetKnowledgeStatistics(_) => &self.seekers,
            _ => &self.places,
        };
        let _place = places.try_acquire().map_err(|_| refusal::busy())?;
        let patience = question.timeout.and_then(|timeout| Duration::try_from(timeout).ok());
        let patience = patience.unwrap_or(LONGEST).min(LONGEST);
        timeout(patience, self.work(ask))
            .await
            .unwrap_or_else(|_| Err(refusal::failed("it took longer than anybody waits for it")))
    }

    async fn work(&self, ask: Ask) -> Result<Outcome, HostRefusal> {
        let may = |is: bool, what: &str| if is { Ok(()) } else { Err(refusal::not_allowed(what)) };
        match ask {
            Ask::ListProcesses(request) => {
                may(self.allowed.processes, "processes")?;
                let processes = Arc::clone(&self.processes);
                reading(move || lock(&processes).list(&request)).await.map(Outcome::Processes)
            }
            Ask::ListPorts(request) => {
                may(self.allowed.ports, "ports")?;
                reading(move || ports::ports(&request)).await.map(Outcome::Ports)
            }
            Ask::StopProcess(request) => {
                may(self.allowed.stop_processes, "stop-process")?;
                let boot = lock(&self.processes).boot();
                let outcome = stop::stop(&request, boot).await?;
                tracing::info!(
                    process = request.process_id,
                    outcome = outcome.as_str_name(),
                    "a process was ended"
                );
                Ok(Outcome::Stopped(StopProcessResponse { outcome: outcome.into() }))
            }
            Ask::ListKnowledgeFiles(request) => {
                may(self.knowledge.is_open(), "knowledge")?;
                self.knowledge.list(request).await.map(Outcome::KnowledgeFiles)
            }
            Ask::GetKnowledgeFile(request) => {
                may(self.knowledge.is_open(), "knowledge")?;
                self.knowledge.get(&request).await.map(Outcome::KnowledgeFile)
            }
            Ask::ReadKnowledgeFile(request) => {
                may(self.knowledge.shows_content(), "knowledge-content")?;
                self.knowledge.read(request).await.map(Outcome::KnowledgeText)
            }
            Ask::GetKnowledgeStatistics(_) => {
                may(self.knowledge.is_open(), "knowledge")?;
                self.knowledge.count().await.map(Outcome::KnowledgeStatistics)
            }
            _ if !self.services.is_open() => Err(refusal::not_allowed("services")),
            Ask::ListServices(request) => self.services.list(&request).map(Outcome::Services),
            Ask::GetService(request) => self.services.get(&request.name).map(Outcome::Service),
            Ask::CreateService(request) => self.services.create(request).await.map(Outcome::Service),
            Ask::UpdateService(request) => self.services.update(request).await.map(Outcome::Service),
            Ask::DeleteService(request) => {
                self.services.delete(&request).await.map(|()| Outcome::Deleted(ServiceDeleted {}))
            }
            Ask::StartService(request) => self.services.start(&request.name).await.map(Outcome::Service),
            Ask::StopService(request) => self.services.halt(&request.name).await.map(Outcome::Service),
            Ask::RestartService(request) => self.services.restart(&request).await.map(Outcome::Service),
            Ask::ReadServiceLog(question) => self.services.read_log(question).await.map(Outcome::Log),
        }
    }
}

fn lock(processes: &Mutex<Processes>) -> std::sync::MutexGuard<'_, Processes> {
    // Whoever panicked has left at worst no reading behind.
    processes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
