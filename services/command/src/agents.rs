//! Whom is a command for? The agent service knows who there is; what it says is remembered for a moment.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use quick_cache::sync::Cache;
use tokio::time::Instant;
use tonic::Code;
use weft_jobs::MAX_BATCH_JOBS;
use weft_kit::Peer;
use weft_proto::weft::agent::v1::{
    AgentKind, GetAgentRequest, ListAgentsRequest, agent_service_client::AgentServiceClient,
};

use crate::{Error, domain::name};

/// Identities of so many agents are remembered.
const REMEMBERED: usize = 50_000;
/// Of more agents than this all are listed, and not each asked for.
const ASKED_ONE_BY_ONE: usize = 16;
/// Agents of a page.
const PAGE: i32 = 1_000;

/// Finds agents.
pub(crate) struct Agents {
    client: AgentServiceClient<Peer>,
    uids: Cache<String, (Instant, String)>,
    patience: Duration,
}

impl Agents {
    pub(crate) fn new(peer: Peer, patience: Duration) -> Self {
        Self { client: AgentServiceClient::new(peer), uids: Cache::new(REMEMBERED), patience }
    }

    /// The queues of agents that are named, in that order.
    pub(crate) async fn named(&self, parent: &str, agents: &[String]) -> Result<Vec<String>, Error> {
        let prefix = format!("{parent}/agents/");
        if let Some(stranger) = agents.iter().find(|agent| !agent.starts_with(&prefix)) {
            let problem = format!("{stranger} is not of this project");
            return Err(Error::field("command.agents", problem));
        }
        let mut once = HashSet::with_capacity(agents.len());
        if let Some(twice) = agents.iter().find(|agent| !once.insert(agent.as_str())) {
            return Err(Error::field("command.agents", format!("{twice} is named twice")));
        }
        let remembered: Option<Vec<String>> = agents.iter().map(|agent| self.remembered(agent)).collect();
        if let Some(queues) = remembered {
            return Ok(queues);
        }
        if agents.len() <= ASKED_ONE_BY_ONE {
            let mut queues = Vec::with_capacity(agents.len());
            for agent in agents {
                queues.push(self.ask(agent).await?);
            }
            return Ok(queues);
        }
        let all = self.list(parent, "", usize::MAX).await?;
        let all: BTreeMap<&str, &str> =
            all.iter().map(|(agent, queue)| (agent.as_str(), queue.as_str())).collect();
        let queue = |agent: &String| {
            let queue = all.get(agent.as_str()).map(|queue| (*queue).to_owned());
            queue.ok_or_else(|| Error::AgentNotFound(agent.clone()))
        };
        agents.iter().map(queue).collect()
    }

    /// Those of the named agents that are still in the fleet, with their queues, in that order.
    pub(crate) async fn there(
        &self,
        parent: &str,
        agents: &[String],
    ) -> Result<Vec<(String, String)>, Error> {
        if agents.len() > ASKED_ONE_BY_ONE {
            let all: BTreeMap<String, String> =
                self.list(parent, "", usize::MAX).await?.into_iter().collect();
            let there = |agent: &String| Some((agent.clone(), all.get(agent)?.clone()));
            return Ok(agents.iter().filter_map(there).collect());
        }
        let mut there = Vec::with_capacity(agents.len());
        for agent in agents {
            match self.look(agent).await {
                Ok(queue) => there.push((agent.clone(), queue)),
                Err(Error::AgentNotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(there)
    }

    /// The queues of agents that match.
    pub(crate) async fn matching(&self, parent: &str, filter: &str) -> Result<Vec<(String, String)>, Error> {
        let found = self.list(parent, filter, MAX_BATCH_JOBS).await?;
        if found.is_empty() { Err(Error::NoAgents) } else { Ok(found) }
    }

    fn remembered(&self, agent: &str) -> Option<String> {
        let (since, uid) = self.uids.get(agent)?;
        (since.elapsed() < self.patience).then(|| name::queue(agent, &uid))
    }

    fn remember(&self, agent: String, uid: String) {
        self.uids.insert(agent, (Instant::now(), uid));
    }

    async fn ask(&self, agent: &str) -> Result<String, Error> {
        match self.remembered(agent) {
            Some(queue) => Ok(queue),
            None => self.look(agent).await,
        }
    }

    /// As it is now, whatever is remembered.
    async fn look(&self, agent: &str) -> Result<String, Error> {
        let request = GetAgentRequest { name: agent.to_owned() };
        match self.client.clone().get_agent(request).await {
            Ok(found) => {
                let found = found.into_inner();
                if found.kind() == AgentKind::Collector {
                    let problem = format!("{agent} is a collector, which takes no commands");
                    return Err(Error::field("command.agents", problem));
                }
                let uid = found.uid;
                let queue = name::queue(agent, &uid);
                self.remember(agent.to_owned(), uid);
                Ok(queue)
            }
            Err(status) if status.code() == Code::NotFound => Err(Error::AgentNotFound(agent.to_owned())),
            Err(status) => Err(status.into()),
        }
    }

    /// Names and queues of agents that match.
    async fn list(&self, parent: &str, filter: &str, most: usize) -> Result<Vec<(String, String)>, Error> {
        let mut request = ListAgentsRequest {
            parent: parent.to_owned(),
            page_size: PAGE,
            filter: of_hosts(filter),
            ..ListAgentsRequest::default()
        };
        let mut all = Vec::new();
        loop {
            let page = self.client.clone().list_agents(request.clone()).await?.into_inner();
            if usize::try_from(page.match_count).unwrap_or(usize::MAX) > most {
                return Err(Error::TooManyAgents(page.match_count));
            }
            for agent in page.agents {
                all.push((agent.name.clone(), name::queue(&agent.name, &agent.uid)));
                self.remember(agent.name, agent.uid);
            }
            if page.next_page_token.is_empty() {
                return Ok(all);
            }
            request.page_token = page.next_page_token;
        }
    }
}

/// Collectors take no commands: whoever asks for all that match means those that do, and only they count. `OR` binds
/// tighter.
fn of_hosts(filter: &str) -> String {
    if filter.trim().is_empty() {
        "kind != collector".to_owned()
    } else {
        format!("{filter} AND kind != collector")
    }
}
