//! Processes with the identity and the agent service over one database, operators, and agents.

use std::{sync::Arc, time::Duration};

use ed25519_dalek::{Signer, SigningKey as AgentKey};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt;
use weft_agent::{AgentService, Deps, Options};
use weft_bus::Bus;
use weft_identity::{IdentityService, administrator};
use weft_kit::{
    Clock, Ids, Lifecycle, Peer,
    auth::{Authenticator, MeshIdentity, PeerIdentity, SigningKey, VerifyingKeys},
    client::{Outgoing, Peers},
    config::{LimitOptions, RateOptions, Rates},
    metrics::Metrics,
    server::{Guards, Pipeline, RateLimits, Services},
};
use weft_proto::weft::agent::v1::{
    Agent, AgentFacts, AgentOpen, AttachAgentRequest, AttachAgentResponse, CreateEnrollmentTokenRequest,
    EnrollAgentRequest, EnrollmentToken, GetAgentChallengeRequest, GetAgentRequest, HostFacts,
    IssueAgentTokenRequest, agent_service_client::AgentServiceClient, attach_agent_request::Action,
    attach_agent_response::Event, collector_service_client::CollectorServiceClient,
    host_service_client::HostServiceClient,
};
use weft_store::Stores;

const MESH: [u8; 32] = [5; 32];
pub(crate) const PROJECT: &str = "projects/p";

/// A database, a bus, and the time.
pub(crate) struct World {
    pub(crate) stores: Stores,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) clock: Clock,
    admin: String,
    _folder: TempDir,
}

/// A process over them.
pub(crate) struct Process {
    pub(crate) client: AgentServiceClient<Peer>,
    pub(crate) hosts: HostServiceClient<Peer>,
    pub(crate) collectors: CollectorServiceClient<Peer>,
    /// The same, called in the gateway's name.
    pub(crate) edge: CollectorServiceClient<Peer>,
    pub(crate) life: Lifecycle,
    admin: String,
}

/// Options with which nothing takes long that must come, and much time is left for what must not.
pub(crate) fn quick() -> Options {
    Options {
        reconnect_grace: Duration::from_secs(1),
        probe_timeout: Duration::from_secs(15),
        ..Options::default()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("weft.db").display());
        let stores = weft_store_sqlite::open(&url).await.expect("a fresh database");
        let clock = Clock::manual(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let admin = administrator(&*stores.identity, &clock, &Ids::system()).await.expect("the first key");
        let bus = weft_bus::open("memory:").await.expect("a bus in memory opens").bus;
        Self { stores, bus, clock, admin: admin.secret.reveal().to_owned(), _folder: folder }
    }

    pub(crate) async fn process(&self, options: Options) -> Process {
        let (ids, life, peers) = (Ids::system(), Lifecycle::new(), Peers::new());
        let key = SigningKey::from_seed(&MESH);
        let as_service = |name: &str, peer| {
            Outgoing::peer(peer, MeshIdentity::new(name, key.clone(), self.clock.clone(), ids.clone()))
        };
        let generous = Rates { per_second: 10_000, burst: 10_000 };
        let source = PeerIdentity(as_service("runtime", peers.lazy("identity")));
        let guards = Guards {
            authenticator: Arc::new(Authenticator::new(
                Arc::new(source),
                VerifyingKeys::new(&key.public()),
                self.clock.clone(),
            )),
            rates: RateLimits::new(&RateOptions { sign_in: generous, ..RateOptions::default() }),
            limits: LimitOptions::default(),
            metrics: Metrics::new(),
            ids: ids.clone(),
            lifecycle: life.clone(),
        };
        let pipeline =
            |services| Peer::shared(Pipeline::new(&services, weft_proto::methods(), guards.clone()));
        let deps = weft_identity::Deps {
            store: self.stores.identity.clone(),
            secrets: self.stores.secret.clone(),
            mesh_secret: MESH,
            clock: self.clock.clone(),
            ids: ids.clone(),
            lifecycle: life.clone(),
        };
        let identity =
            IdentityService::open(weft_identity::Options::default(), deps).await.expect("it opens");
        peers.insert("identity", pipeline(Services::new(identity.into_server())));
        let deps = Deps {
            store: self.stores.agent.clone(),
            bus: self.bus.clone(),
            identity: as_service("agent", peers.lazy("identity")),
            commands: as_service("agent", peers.lazy("command")),
            mesh_secret: MESH,
            clock: self.clock.clone(),
            ids: ids.clone(),
            lifecycle: life.clone(),
        };
        let agent = AgentService::open(options, deps).await.expect("it opens");
        let hosts = agent.hosts().into_server();
        let collectors = agent.collectors().into_server();
        let peer = pipeline(Services::new(agent.into_server()).and(hosts).and(collectors));
        Process {
            client: AgentServiceClient::new(peer.clone()),
            collectors: CollectorServiceClient::new(peer.clone()),
            edge: CollectorServiceClient::new(as_service("gateway", peer.clone())),
            hosts: HostServiceClient::new(peer),
            life,
            admin: self.admin.clone(),
        }
    }
}

impl Process {
    /// A request of the administrator.
    pub(crate) fn by_admin<T>(&self, message: T) -> Request<T> {
        signed(message, &self.admin)
    }

    pub(crate) async fn token(&self, token: EnrollmentToken) -> EnrollmentToken {
        let request = CreateEnrollmentTokenRequest {
            parent: PROJECT.into(),
            enrollment_token: Some(token),
            ..Default::default()
        };
        let created = self.client.clone().create_enrollment_token(self.by_admin(request)).await;
        created.expect("an administrator may").into_inner()
    }

    /// An agent that has joined.
    pub(crate) async fn joined(&self, hostname: &str) -> Host {
        let token = self.token(EnrollmentToken::default()).await;
        let mut host = Host::new(hostname);
        host.enroll(self, &token.secret).await.expect("the token is good");
        host
    }

    pub(crate) async fn get(&self, name: &str) -> Agent {
        let request = self.by_admin(GetAgentRequest { name: name.into() });
        self.client.clone().get_agent(request).await.expect("it is there").into_inner()
    }

    /// The agent, once it is so.
    pub(crate) async fn until(&self, name: &str, is_so: impl Fn(&Agent) -> bool) -> Agent {
        soon(async {
            loop {
                let agent = self.get(name).await;
                if is_so(&agent) {
                    return agent;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }
}

/// A host with an agent's key.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) key: AgentKey,
    pub(crate) name: String,
    pub(crate) facts: AgentFacts,
}

impl Host {
    pub(crate) fn new(hostname: &str) -> Self {
        let host = HostFacts {
            hostname: hostname.into(),
            os: "linux".into(),
            architecture: "x86_64".into(),
            cpu_count: 2,
            memory_bytes: 8 << 30,
            boot_id: "boot".into(),
            ..HostFacts::default()
        };
        let facts =
            AgentFacts { version: "1.0.0".into(), host: Some(host), process_id: 7, ..AgentFacts::default() };
        Self { key: AgentKey::from_bytes(&Ids::system().bytes()), name: String::new(), facts }
    }

    pub(crate) fn request(&self, token: &str) -> EnrollAgentRequest {
        let signature = self.key.sign(&[b"weft agent enroll v1\0", token.as_bytes()].concat());
        EnrollAgentRequest {
            token: token.into(),
            public_key: self.key.verifying_key().to_bytes().to_vec().into(),
            signature: signature.to_bytes().to_vec().into(),
            facts: Some(self.facts.clone()),
            ..EnrollAgentRequest::default()
        }
    }

    pub(crate) async fn enroll(&mut self, process: &Process, token: &str) -> Result<Agent, Status> {
        let agent = process.client.clone().enroll_agent(self.request(token)).await?.into_inner();
        self.name.clone_from(&agent.name);
        Ok(agent)
    }

    /// An access token for its key.
    pub(crate) async fn credential(&self, process: &Process) -> Result<String, Status> {
        let mut client = process.client.clone();
        let request = GetAgentChallengeRequest { name: self.name.clone() };
        let challenge = client.get_agent_challenge(request).await?.into_inner().challenge;
        let signature = self.key.sign(&[b"weft agent token v1\0", &challenge[..]].concat());
        let request = IssueAgentTokenRequest {
            name: self.name.clone(),
            challenge,
            signature: signature.to_bytes().to_vec().into(),
        };
        Ok(client.issue_agent_token(request).await?.into_inner().token)
    }

    /// A program of it that attaches, with the session of an earlier connection or without.
    pub(crate) async fn attach(&self, process: &Process, session: &str) -> Result<Line, Status> {
        let credential = self.credential(process).await?;
        self.attach_with(process, session, &credential).await
    }

    pub(crate) async fn attach_with(
        &self,
        process: &Process,
        session: &str,
        credential: &str,
    ) -> Result<Line, Status> {
        let (say, said) = mpsc::channel(16);
        let open =
            AgentOpen { name: self.name.clone(), session: session.into(), facts: Some(self.facts.clone()) };
        let first = AttachAgentRequest { action: Some(Action::Open(open)), ..AttachAgentRequest::default() };
        say.send(first).await.expect("there is room");
        let request = signed(ReceiverStream::new(said), credential);
        let mut heard = process.client.clone().attach_agent(request).await?.into_inner();
        let opened = soon(heard.message()).await?.expect("it opens");
        let Some(Event::Opened(opened)) = opened.event else { panic!("not opened: {opened:?}") };
        Ok(Line { say, heard, session: opened.session, resumed: opened.resumed })
    }
}

/// A connection of a program.
pub(crate) struct Line {
    say: mpsc::Sender<AttachAgentRequest>,
    heard: Streaming<AttachAgentResponse>,
    pub(crate) session: String,
    pub(crate) resumed: bool,
}

impl Line {
    pub(crate) async fn say(&self, sequence: i64, acknowledged_sequence: i64, action: Action) {
        let message = AttachAgentRequest { sequence, acknowledged_sequence, action: Some(action) };
        self.say.send(message).await.expect("the connection is open");
    }

    /// The next frame.
    pub(crate) async fn hear(&mut self) -> Result<AttachAgentResponse, Status> {
        Ok(soon(self.heard.message()).await?.expect("the server does not end without a status"))
    }

    /// How the server ends it.
    pub(crate) async fn end(&mut self) -> Status {
        loop {
            if let Err(status) = self.hear().await {
                return status;
            }
        }
    }
}

pub(crate) fn signed<T>(message: T, credential: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {credential}").parse().expect("ASCII");
    request.metadata_mut().insert("authorization", value);
    request
}

/// Code and reason of a refusal.
pub(crate) fn why(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    (status.code(), details.error_info().map(|info| info.reason.clone()).unwrap_or_default())
}

#[track_caller]
pub(crate) fn refused<T>(result: Result<T, Status>, code: Code, reason: &str) {
    let status = result.err().expect("it is refused");
    assert_eq!(why(&status), (code, reason.to_owned()), "{status:?}");
}

/// Something that must come soon.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it comes within 20 seconds")
}
