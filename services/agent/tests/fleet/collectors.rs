//! Collectors, which speak OpAMP: they join, report, are offered what they are to run with, and told to restart.

use std::time::Duration;

use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use weft_agent::Options;
use weft_bus::Received;
use weft_kit::Ids;
use weft_proto::weft::agent::v1::{
    Agent, AgentKind, AgentState, AttachCollectorRequest, AttachCollectorResponse, CollectorConfiguration,
    CollectorOpen, ConfigurationFile, ConfigurationState, DeleteAgentRequest, EnrollmentToken,
    GetCollectorConfigurationRequest, ListAgentsRequest, ProbeAnswer, ReceiveCollectorReportRequest,
    RestartCollectorRequest, UpdateCollectorConfigurationRequest, attach_collector_request::Action,
    attach_collector_response::Event,
};

use crate::world::{PROJECT, Process, World, quick, refused, soon, why};

/// What a collector says, written by hand: tag and value of each field that these tests set.
#[derive(Clone, PartialEq, Message)]
struct Said {
    #[prost(bytes = "vec", tag = "1")]
    instance_uid: Vec<u8>,
    #[prost(uint64, tag = "2")]
    sequence_num: u64,
    #[prost(message, optional, tag = "3")]
    description: Option<Description>,
    #[prost(uint64, tag = "4")]
    capabilities: u64,
    #[prost(message, optional, tag = "5")]
    health: Option<Health>,
    #[prost(message, optional, tag = "6")]
    effective: Option<Effective>,
    #[prost(message, optional, tag = "7")]
    status: Option<ConfigStatus>,
    #[prost(message, optional, tag = "9")]
    disconnect: Option<Nothing>,
    #[prost(uint64, tag = "10")]
    flags: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Nothing {}

#[derive(Clone, PartialEq, Message)]
struct Description {
    #[prost(message, repeated, tag = "1")]
    identifying: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Text>,
}

#[derive(Clone, PartialEq, Message)]
struct Text {
    #[prost(string, tag = "1")]
    text: String,
}

#[derive(Clone, PartialEq, Message)]
struct Health {
    #[prost(bool, tag = "1")]
    healthy: bool,
    #[prost(string, tag = "3")]
    last_error: String,
}

#[derive(Clone, PartialEq, Message)]
struct Effective {
    #[prost(message, optional, tag = "1")]
    files: Option<Files>,
}

#[derive(Clone, PartialEq, Message)]
struct Files {
    #[prost(btree_map = "string, message", tag = "1")]
    files: std::collections::BTreeMap<String, Text>,
}

#[derive(Clone, PartialEq, Message)]
struct ConfigStatus {
    #[prost(bytes = "vec", tag = "1")]
    hash: Vec<u8>,
    #[prost(int32, tag = "2")]
    status: i32,
    #[prost(string, tag = "3")]
    error: String,
}

/// What it is told.
#[derive(Clone, PartialEq, Message)]
struct Told {
    #[prost(bytes = "vec", tag = "1")]
    instance_uid: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    error: Option<Refusal>,
    #[prost(message, optional, tag = "3")]
    config: Option<Offered>,
    #[prost(uint64, tag = "6")]
    flags: u64,
    #[prost(uint64, tag = "7")]
    capabilities: u64,
    #[prost(message, optional, tag = "8")]
    identification: Option<Name>,
    #[prost(message, optional, tag = "9")]
    command: Option<Nothing>,
}

#[derive(Clone, PartialEq, Message)]
struct Refusal {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, optional, tag = "3")]
    retry: Option<Retry>,
}

#[derive(Clone, PartialEq, Message)]
struct Retry {
    #[prost(uint64, tag = "1")]
    nanos: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Offered {
    #[prost(message, optional, tag = "1")]
    files: Option<Files>,
    #[prost(bytes = "vec", tag = "2")]
    hash: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Name {
    #[prost(bytes = "vec", tag = "1")]
    new: Vec<u8>,
}

/// Status, configurations, effective ones, restart, health, status of configurations, heartbeats.
const CAPABILITIES: u64 = 1 | 2 | 4 | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13);
const BAD_REQUEST: i32 = 1;
const UNAVAILABLE: i32 = 2;

fn files(text: &str) -> Files {
    Files { files: [(String::new(), Text { text: text.into() })].into() }
}

/// A program that calls itself an instance.
struct Collector {
    instance: Vec<u8>,
    sequence: u64,
}

impl Collector {
    fn new() -> Self {
        Self { instance: Ids::system().uuid().as_bytes().to_vec(), sequence: 0 }
    }

    fn next(&mut self, said: Said) -> Said {
        self.sequence += 1;
        Said {
            instance_uid: self.instance.clone(),
            sequence_num: self.sequence,
            capabilities: CAPABILITIES,
            ..said
        }
    }

    fn all(&mut self) -> Said {
        let pair = |key: &str, text: &str| Pair { key: key.into(), value: Some(Text { text: text.into() }) };
        let identifying = vec![
            pair("service.name", "otelcol"),
            pair("service.version", "0.140.0"),
            pair("host.name", "node7"),
        ];
        self.next(Said {
            description: Some(Description { identifying }),
            health: Some(Health { healthy: true, last_error: String::new() }),
            effective: Some(Effective { files: Some(files("receivers: {}")) }),
            ..Said::default()
        })
    }
}

/// A collector's WebSocket, as the gateway hands it on.
struct Line {
    say: mpsc::Sender<AttachCollectorRequest>,
    heard: Streaming<AttachCollectorResponse>,
}

impl Line {
    async fn open(process: &Process, token: &str) -> Result<Self, Status> {
        let (say, said) = mpsc::channel(16);
        let open = CollectorOpen { token: token.into(), address: "192.0.2.1".into() };
        say.send(AttachCollectorRequest { action: Some(Action::Open(open)) }).await.expect("there is room");
        let heard = process.edge.clone().attach_collector(ReceiverStream::new(said)).await?.into_inner();
        Ok(Self { say, heard })
    }

    async fn frame(&self, frame: Vec<u8>) {
        let action = Some(Action::Frame(frame.into()));
        self.say.send(AttachCollectorRequest { action }).await.expect("the connection is open");
    }

    async fn say(&self, said: &Said) {
        self.frame([vec![0], said.encode_to_vec()].concat()).await;
    }

    /// What it is told next. Its WebSocket answers pings meanwhile.
    async fn hear(&mut self) -> Result<Told, Status> {
        loop {
            let told = soon(self.heard.message()).await?.expect("the server does not end without a status");
            match told.event.expect("it says something") {
                Event::Frame(frame) => {
                    assert_eq!(frame[0], 0, "the header");
                    return Ok(Told::decode(&frame[1..]).expect("a ServerToAgent"));
                }
                Event::Probe(_) => {
                    let action = Some(Action::ProbeAnswer(ProbeAnswer {}));
                    self.say.send(AttachCollectorRequest { action }).await.expect("it is open");
                }
            }
        }
    }

    async fn ask(&mut self, said: &Said) -> Told {
        self.say(said).await;
        self.hear().await.expect("it is answered")
    }
}

async fn secret(process: &Process, uses: i32) -> String {
    process.token(EnrollmentToken { max_uses: uses, ..EnrollmentToken::default() }).await.secret
}

/// The only collector, which has said everything, with its connection and its name in the fleet.
async fn joined(process: &Process, token: &str) -> (Line, Collector, String) {
    let mut line = Line::open(process, token).await.expect("the token is good");
    let mut collector = Collector::new();
    line.ask(&collector.all()).await;
    let name = agents(process).await.remove(0).name;
    (line, collector, name)
}

async fn agents(process: &Process) -> Vec<Agent> {
    let request = process.by_admin(ListAgentsRequest {
        parent: PROJECT.into(),
        filter: "kind = collector".into(),
        ..ListAgentsRequest::default()
    });
    process.client.clone().list_agents(request).await.expect("it is listed").into_inner().agents
}

async fn post(process: &Process, token: &str, said: &Said) -> Result<Told, Status> {
    let request = ReceiveCollectorReportRequest {
        token: token.into(),
        address: String::new(),
        content: said.encode_to_vec().into(),
    };
    let answer = process.edge.clone().receive_collector_report(request).await?;
    Ok(Told::decode(answer.into_inner().content).expect("a ServerToAgent"))
}

async fn configuration(process: &Process, agent: &str) -> CollectorConfiguration {
    let request = GetCollectorConfigurationRequest { name: format!("{agent}/collectorConfiguration") };
    let got = process.collectors.clone().get_collector_configuration(process.by_admin(request)).await;
    got.expect("an administrator may").into_inner()
}

async fn offer(
    process: &Process,
    agent: &str,
    text: &str,
    etag: &str,
) -> Result<CollectorConfiguration, Status> {
    let file = ConfigurationFile { content: text.into(), content_type: "text/yaml".into() };
    let configuration = CollectorConfiguration {
        name: format!("{agent}/collectorConfiguration"),
        files: [(String::new(), file)].into(),
        etag: etag.into(),
        ..CollectorConfiguration::default()
    };
    let request = UpdateCollectorConfigurationRequest {
        collector_configuration: Some(configuration),
        update_mask: None,
    };
    let updated =
        process.collectors.clone().update_collector_configuration(process.by_admin(request)).await?;
    Ok(updated.into_inner())
}

#[tokio::test]
async fn a_collector_joins_reports_and_goes() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let token = secret(&process, 1).await;
    let mut line = Line::open(&process, &token).await.expect("the token is good");
    let mut collector = Collector::new();
    let told = line.ask(&collector.all()).await;
    assert_eq!((told.instance_uid, told.flags, told.capabilities), (collector.instance.clone(), 0, 7));
    let agent = agents(&process).await.remove(0);
    assert_eq!(agent.name, "projects/p/agents/otelcol-node7");
    assert_eq!(
        (agent.kind(), agent.state(), &*agent.version),
        (AgentKind::Collector, AgentState::Online, "0.140.0")
    );
    assert_eq!(agent.session.expect("it is connected").address, "192.0.2.1");
    let there = configuration(&process, &agent.name).await;
    assert_eq!(there.effective_files[""].content, "receivers: {}");

    let sick = Health { healthy: false, last_error: "no disk".into() };
    line.ask(&collector.next(Said { health: Some(sick), ..Said::default() })).await;
    let agent = process.get(&agent.name).await;
    assert_eq!((agent.state(), agent.problems), (AgentState::Degraded, vec!["no disk".to_owned()]));

    line.ask(&collector.next(Said { disconnect: Some(Nothing {}), ..Said::default() })).await;
    let gone = process.until(&agent.name, |agent| agent.session.is_none()).await;
    assert_eq!((gone.state(), &*gone.state_reason), (AgentState::Offline, "STOPPED"));

    // The token is used up, and still good for who has joined with it; nobody else comes in.
    let mut line = Line::open(&process, &token).await.expect("it has joined");
    line.ask(&collector.all()).await;
    assert_eq!(agents(&process).await.len(), 1);
    let mut stranger = Line::open(&process, &token).await.expect("who it is comes later");
    let told = stranger.ask(&Collector::new().all()).await;
    assert_eq!(told.error.expect("it is refused").kind, BAD_REQUEST);
    let end = stranger.hear().await.expect_err("it ends");
    assert_eq!(why(&end), (Code::FailedPrecondition, "ENROLLMENT_TOKEN_USED_UP".into()));
    for made_up in ["weft_enroll_made-up", "", "something else"] {
        let refusal = Line::open(&process, made_up).await.err().expect("it is refused");
        assert_eq!(why(&refusal), (Code::Unauthenticated, "ENROLLMENT_TOKEN_INVALID".into()));
    }
}

#[tokio::test]
async fn a_configuration_is_offered_once_and_its_fate_is_told() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let token = secret(&process, 1).await;
    let (mut line, mut collector, name) = joined(&process, &token).await;

    let set = offer(&process, &name, "exporters: {}", "none").await.expect("an administrator may");
    assert_eq!(set.status.as_ref().expect("it is offered").state(), ConfigurationState::Offered);
    refused(offer(&process, &name, "other: {}", "none").await, Code::Aborted, "ETAG_MISMATCH");
    let told = line.hear().await.expect("it is told by itself");
    let offered = told.config.expect("a configuration");
    assert_eq!(offered.files.as_ref().expect("files").files[""].text, "exporters: {}");
    let told = line.ask(&collector.next(Said::default())).await;
    assert_eq!(told.config, None, "it was told");
    for (status, state) in
        [(2, ConfigurationState::Applying), (3, ConfigurationState::Failed), (1, ConfigurationState::Applied)]
    {
        let error = if status == 3 { "no such exporter".to_owned() } else { String::new() };
        let status = ConfigStatus { hash: offered.hash.clone(), status, error: error.clone() };
        line.ask(&collector.next(Said { status: Some(status), ..Said::default() })).await;
        let there = configuration(&process, &name).await.status.expect("it is offered");
        assert_eq!((there.state(), there.error_message), (state, error));
    }

    // Kept over a restart of the service; offered to who does not have it.
    offer(&process, &name, "second: {}", "").await.expect("an administrator may");
    drop(line);
    process.life.shut_down(Duration::from_secs(5)).await;
    // Nobody answers for the process that is gone, however long that is waited for.
    let process = world.process(Options { probe_timeout: Duration::from_millis(200), ..quick() }).await;
    let mut line = Line::open(&process, &token).await.expect("it has joined");
    let told = line.ask(&collector.next(Said::default())).await;
    assert_eq!(told.flags, 1, "the new process knows nothing of it: it is asked for everything");
    assert_ne!(told.config.expect("it is offered").hash, offered.hash);
    assert_eq!(line.ask(&collector.all()).await.flags, 0);
    collector.sequence += 1;
    assert_eq!(line.ask(&collector.next(Said::default())).await.flags, 1, "a message is missing");
}

#[tokio::test]
async fn a_restart_is_told_once() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let token = secret(&process, 2).await;
    let (mut line, mut collector, name) = joined(&process, &token).await;
    let request =
        RestartCollectorRequest { name: name.clone(), request_id: Ids::system().uuid().to_string() };
    let ask = async || process.collectors.clone().restart_collector(process.by_admin(request.clone())).await;
    ask().await.expect("it can");
    let told = line.hear().await.expect("it is told");
    assert!(told.command.is_some() && told.config.is_none() && told.flags == 0, "a command comes alone");
    ask().await.expect("a repeat does nothing");
    assert_eq!(line.ask(&collector.next(Said::default())).await.command, None);
    let agent = process.get(&name).await.collector.expect("it is one");
    assert!(agent.restart_time.is_some() && agent.restart_request_time.is_none());

    // Agents of our own are none.
    let host = process.joined("node1").await;
    let request = RestartCollectorRequest { name: host.name.clone(), request_id: String::new() };
    let other = process.collectors.clone().restart_collector(process.by_admin(request)).await;
    refused(other, Code::FailedPrecondition, "NOT_A_COLLECTOR");

    // By HTTP it is told when it comes by.
    let mut poller = Collector::new();
    post(&process, &token, &poller.all()).await.expect("the token is good");
    let name = agents(&process).await.into_iter().map(|agent| agent.name).find(|there| *there != name);
    let name = name.expect("there are two");
    let request = RestartCollectorRequest { name: name.clone(), request_id: String::new() };
    process.collectors.clone().restart_collector(process.by_admin(request)).await.expect("it can");
    offer(&process, &name, "polled: {}", "").await.expect("an administrator may");
    let told = post(&process, &token, &poller.next(Said::default())).await.expect("it is answered");
    assert!(told.command.is_some() && told.config.is_none());
    let lost = post(&process, &token, &poller.next(Said::default())).await.expect("it is answered");
    assert!(lost.command.is_none() && lost.config.is_some());
    // Nobody knows that an answer has arrived before the collector says so.
    let told = post(&process, &token, &poller.next(Said::default())).await.expect("it is answered");
    assert_eq!(told.config, lost.config);
    let hash = told.config.expect("a configuration").hash;
    let status = ConfigStatus { hash, status: 3, error: "no such exporter".into() };
    let said = poller.next(Said { status: Some(status), ..Said::default() });
    let told = post(&process, &token, &said).await.expect("it is answered");
    assert_eq!(told.config, None, "it has failed with that");
    let there = process.get(&name).await;
    assert_eq!(
        (there.state(), there.session.is_some()),
        (AgentState::Degraded, true),
        "between two visits too"
    );
}

#[tokio::test]
async fn who_takes_anothers_name_gets_one_of_its_own() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let token = secret(&process, 2).await;
    let mut first = Line::open(&process, &token).await.expect("the token is good");
    let mut collector = Collector::new();
    first.ask(&collector.all()).await;
    let mut second = Line::open(&process, &token).await.expect("the token is good");
    let mut copy = Collector { instance: collector.instance.clone(), sequence: 0 };
    second.say(&copy.all()).await;
    // The first answers a ping while it waits for this, and goes on.
    let alive = collector.next(Said::default());
    let (_, told) = tokio::join!(first.ask(&alive), second.hear());
    let told = told.expect("it is answered");
    assert_eq!(told.flags, 1, "what it said was not kept: it is to say everything by the other name");
    let name = told.identification.expect("another name").new;
    assert_eq!((name.len(), name[6] >> 4), (16, 7), "a UUID of version 7");
    copy.instance = name;
    assert_eq!(second.ask(&copy.all()).await.error, None);
    assert_eq!(agents(&process).await.iter().filter(|agent| agent.state() == AgentState::Online).count(), 2);

    // Who asks for a name gets one at once.
    let token = secret(&process, 1).await;
    let mut third = Line::open(&process, &token).await.expect("the token is good");
    let mut nameless = Collector::new();
    let told = third.ask(&Said { flags: 1, ..nameless.all() }).await;
    let name = told.identification.expect("a name").new;
    let told = third.ask(&nameless.next(Said::default())).await;
    assert_eq!(told.identification.expect("it was on its way").new, name);
    nameless.instance = name;
    assert_eq!(third.ask(&nameless.next(Said::default())).await.flags, 0, "it is known by it");
    assert_eq!(agents(&process).await.len(), 3);
}

#[tokio::test]
async fn what_is_wrong_is_told_and_a_flood_is_ended() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let token = secret(&process, 1).await;
    let mut line = Line::open(&process, &token).await.expect("the token is good");
    for frame in [
        vec![],
        vec![7],
        vec![0, 0xff],
        vec![0],
        vec![0, 0x0a, 1, 9],
        [&[0, 0x0a, 16], &[0; 16][..]].concat(),
    ] {
        line.frame(frame.clone()).await;
        let error = line.hear().await.expect("it goes on").error.expect("a refusal");
        assert_eq!(error.kind, BAD_REQUEST, "{frame:?}: {}", error.message);
    }
    let mut collector = Collector::new();
    assert_eq!(line.ask(&collector.all()).await.error, None, "it goes on");
    let mut refusals = 0;
    let end = loop {
        let frame = [vec![0], collector.next(Said::default()).encode_to_vec()].concat();
        // Where the connection has ended, why is what comes next.
        let _ = line.say.send(AttachCollectorRequest { action: Some(Action::Frame(frame.into())) }).await;
        match line.hear().await {
            Ok(told) => {
                if let Some(error) = told.error {
                    assert_eq!(error.kind, UNAVAILABLE);
                    assert_eq!(error.retry.expect("when to come back").nanos, 30_000_000_000);
                    refusals += 1;
                }
            }
            Err(status) => break status,
        }
    };
    assert!(refusals > 0);
    assert_eq!(why(&end), (Code::ResourceExhausted, "TOO_MANY_MESSAGES".into()));

    // Another connection does not help at once, but by and by.
    let name = agents(&process).await.remove(0).name;
    let mut line = Line::open(&process, &token).await.expect("it has joined");
    let mut is_refused = false;
    for _ in 0..60 {
        is_refused |= line.ask(&collector.next(Said::default())).await.error.is_some();
        if is_refused {
            break;
        }
    }
    assert!(is_refused, "what is left is no more by another connection");
    soon(async {
        while line.ask(&collector.all()).await.error.is_some() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;

    // Who is removed is told, and does not come back: the token is used up.
    let request = DeleteAgentRequest { name, etag: String::new() };
    process.client.clone().delete_agent(process.by_admin(request)).await.expect("an administrator may");
    let end = loop {
        if let Err(status) = line.hear().await {
            break status;
        }
    };
    assert_eq!(why(&end), (Code::NotFound, "AGENT_NOT_FOUND".into()));
    let refusal = post(&process, &token, &collector.all()).await;
    refused(refusal, Code::FailedPrecondition, "ENROLLMENT_TOKEN_USED_UP");
}

#[tokio::test]
async fn a_name_that_is_asked_for_twice_is_one() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let token = secret(&process, 2).await;
    let mut nameless = Collector::new();
    let said = Said { flags: 1, ..nameless.all() };
    let first = post(&process, &token, &said).await.expect("the token is good");
    let name = first.identification.expect("a name").new;
    let again = post(&process, &token, &said).await.expect("the answer was lost");
    assert_eq!(again.identification.expect("a name").new, name);
    nameless.instance = name;
    let told = post(&process, &token, &nameless.next(Said::default())).await.expect("it is known");
    assert_eq!((told.flags, agents(&process).await.len()), (0, 1));
}

#[tokio::test]
async fn what_is_said_of_parts_is_for_who_asks_for_one() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let token = secret(&process, 1).await;
    let mut line = Line::open(&process, &token).await.expect("the token is good");
    let sick = Health { healthy: false, last_error: "no disk".into() };
    line.ask(&Said { health: Some(sick), ..Collector::new().all() }).await;
    let listed = agents(&process).await.remove(0);
    assert_eq!((&*listed.version, &*listed.problems), ("0.140.0", &["no disk".to_owned()][..]));
    let brief = listed.collector.expect("it is one");
    assert!(!brief.instance_uid.is_empty());
    assert!(
        brief.health.is_empty() && brief.attributes.is_empty() && brief.identifying_attributes.is_empty()
    );
    let whole = process.get(&listed.name).await.collector.expect("it is one");
    assert_eq!((whole.health.len(), &*whole.identifying_attributes["service.name"]), (1, "otelcol"));
}

#[tokio::test]
async fn of_configurations_that_change_all_the_time_the_last_is_kept() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let token = secret(&process, 1).await;
    let (mut line, mut collector, name) = joined(&process, &token).await;
    let revision = process.get(&name).await.revision;
    for text in ["second: {}", "third: {}", "last: {}"] {
        let effective = Some(Effective { files: Some(files(text)) });
        line.ask(&collector.next(Said { effective, ..Said::default() })).await;
    }
    assert_eq!(process.get(&name).await.revision, revision, "they wait");
    process.life.shut_down(Duration::from_secs(5)).await;
    let process = world.process(quick()).await;
    assert_eq!(configuration(&process, &name).await.effective_files[""].content, "last: {}");
}

#[tokio::test]
async fn what_is_offered_is_taken_back_by_saying_so() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let token = secret(&process, 1).await;
    let mut line = Line::open(&process, &token).await.expect("the token is good");
    line.ask(&Collector::new().all()).await;
    let name = agents(&process).await.remove(0).name;
    let set = offer(&process, &name, "exporters: {}", "none").await.expect("an administrator may");
    let again = offer(&process, &name, "exporters: {}", "none").await.expect("it is so already");
    assert_eq!(again.etag, set.etag);
    let none = async |update_mask| {
        let configuration = CollectorConfiguration {
            name: format!("{name}/collectorConfiguration"),
            ..CollectorConfiguration::default()
        };
        let request =
            UpdateCollectorConfigurationRequest { collector_configuration: Some(configuration), update_mask };
        let updated =
            process.collectors.clone().update_collector_configuration(process.by_admin(request)).await;
        updated.expect("an administrator may").into_inner()
    };
    assert_eq!(none(None).await.etag, set.etag, "nothing is said of the files");
    let mask = prost_types::FieldMask { paths: vec!["files".into()] };
    let taken_back = none(Some(mask)).await;
    assert_eq!((&*taken_back.etag, taken_back.files.len(), taken_back.status), ("none", 0, None));
}

#[tokio::test]
async fn those_of_a_process_that_is_gone_wait_for_it_once() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let token = secret(&process, 2).await;
    let (mut one, mut other) = (Collector::new(), Collector::new());
    let mut before = Vec::new();
    for collector in [&mut one, &mut other] {
        let mut line = Line::open(&process, &token).await.expect("the token is good");
        line.ask(&collector.all()).await;
        before.push(line);
    }
    process.life.shut_down(Duration::from_secs(5)).await;

    let options = Options {
        probe_timeout: Duration::from_millis(200),
        reconnect_grace: Duration::from_mins(1),
        ..Options::default()
    };
    let process = world.process(options).await;
    let mut notices = world.bus.subscribe("agent.fleet").await.expect("the bus is there");
    let mut lines = Vec::new();
    for collector in [&mut one, &mut other] {
        let mut line = Line::open(&process, &token).await.expect("it has joined");
        assert_eq!(line.ask(&collector.all()).await.error, None);
        lines.push(line);
    }
    let (mut moved, mut asked) = (0, 0);
    while moved < 2 {
        let Received::Message(notice) = soon(notices.recv()).await else { panic!("a notice is lost") };
        let notice = String::from_utf8(notice.to_vec()).expect("JSON");
        moved += usize::from(notice.starts_with("{\"Moved\""));
        asked += usize::from(notice.starts_with("{\"Probe\""));
    }
    assert_eq!(asked, 1, "of the second it is known");
}
