//! Commands from a client to agents and back: accepted on disk, handed to an agent over its own gRPC stream, its result
//! on disk. Client and agents are in this process, and everything between them goes over sockets.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use ed25519_dalek::{Signer, SigningKey};
use futures::future::try_join_all;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};
use weft_kit::{Ids, Lifecycle};
use weft_proto::weft::{
    agent::v1::{
        AgentOpen, AttachAgentRequest, AttachAgentResponse, CreateEnrollmentTokenRequest, EnrollAgentRequest,
        EnrollmentToken, GetAgentChallengeRequest, IssueAgentTokenRequest,
        agent_service_client::AgentServiceClient, attach_agent_request::Action, attach_agent_response::Event,
    },
    command::v1::{
        Command, CommandState, CreateCommandRequest, WorkLease, WorkOrder, WorkReport, WorkResult,
        WorkResults, WorkerReady, command_service_client::CommandServiceClient, work_order::Order,
        work_report::Report as Said,
    },
};
use weft_tests::runtime::signed;

use crate::{
    mesh::Mesh,
    report::{Better, Report, median},
    rpc::now,
};

/// Agents, each on a connection of its own.
const AGENTS: usize = 16;
/// Places of an agent.
const SLOTS: i32 = 64;
const PARENT: &str = "projects/default";
/// Length of one measurement.
const SPAN: Duration = Duration::from_secs(3);

/// When results of commands were said to be on disk, and who waits for that.
#[derive(Default)]
struct Ends(Mutex<HashMap<String, End>>);

enum End {
    Recorded(Instant),
    Awaited(oneshot::Sender<Instant>),
}

impl Ends {
    fn record(&self, command: String, at: Instant) {
        let mut all = self.0.lock().expect("nobody panics with it");
        match all.remove(&command) {
            // Whoever waited may have given up.
            Some(End::Awaited(waits)) => drop(waits.send(at)),
            _ => drop(all.insert(command, End::Recorded(at))),
        }
    }

    async fn wait(&self, command: String) -> Result<Instant> {
        let (sender, recorded) = oneshot::channel();
        {
            let mut all = self.0.lock().expect("nobody panics with it");
            if let Some(End::Recorded(at)) = all.remove(&command) {
                return Ok(at);
            }
            all.insert(command, End::Awaited(sender));
        }
        tokio::time::timeout(Duration::from_secs(30), recorded).await?.context("nobody will say")
    }
}

pub(crate) async fn measure(rounds: u32) -> Result<Report> {
    let mesh = Mesh::start().await?;
    let (ends, life) = (Arc::new(Ends::default()), Lifecycle::new());
    let names = agents(&mesh, &ends, &life).await?;
    let client = CommandServiceClient::new(mesh.channel.clone());
    let run = Run { client, key: &mesh.key, ends: &ends, names: &names };
    run.many(8, Duration::from_millis(500)).await?;

    let (mut rates, mut halves, mut lates, mut alone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (_, times) = run.many(1, Duration::from_secs(1)).await?;
        alone.push(at(&times, 0.5));
        let (_, times) = run.many(64, SPAN).await?;
        halves.push(at(&times, 0.5));
        lates.push(at(&times, 0.99));
        let (rate, _) = run.many(512, SPAN).await?;
        rates.push(rate);
    }
    life.drain();
    mesh.stop().await;

    let mut report = Report::new("commands");
    report.add("commands, 512 in flight", median(rates), "commands/s", 20_000.0, Better::Higher);
    report.add("64 in flight, submitted to recorded, p50", median(halves), "ms", 5.0, Better::Lower);
    report.add("64 in flight, submitted to recorded, p99", median(lates), "ms", 25.0, Better::Lower);
    report.add("one alone, submitted to recorded, p50", median(alone), "ms", 2.0, Better::Lower);
    Ok(report)
}

fn at(sorted: &[f64], share: f64) -> f64 {
    sorted.get((sorted.len().saturating_sub(1) as f64 * share) as usize).copied().unwrap_or(f64::NAN)
}

struct Run<'a> {
    client: CommandServiceClient<Channel>,
    key: &'a str,
    ends: &'a Ends,
    names: &'a [String],
}

impl Run<'_> {
    /// Commands a second with so many in flight, and the time of each in milliseconds, sorted.
    async fn many(&self, in_flight: usize, span: Duration) -> Result<(f64, Vec<f64>)> {
        let began = now();
        let callers = (0..in_flight).map(|caller| async move {
            let mut times = Vec::new();
            let mut client = self.client.clone();
            let mut turn = caller;
            while began.elapsed() < span {
                let agent = self.names[turn % self.names.len()].clone();
                turn += 1;
                let submitted = now();
                let command = client.create_command(signed(request(agent), self.key)).await?.into_inner();
                let recorded = self.ends.wait(command.name).await?;
                times.push(recorded.duration_since(submitted).as_secs_f64() * 1_000.0);
            }
            anyhow::Ok(times)
        });
        let mut times: Vec<f64> = try_join_all(callers).await?.into_iter().flatten().collect();
        let rate = times.len() as f64 / began.elapsed().as_secs_f64();
        times.sort_by(f64::total_cmp);
        Ok((rate, times))
    }
}

fn request(agent: String) -> CreateCommandRequest {
    let command = Command {
        command_type: format!("{PARENT}/commandTypes/noop"),
        agents: vec![agent],
        ..Command::default()
    };
    CreateCommandRequest { parent: PARENT.into(), command: Some(command), ..CreateCommandRequest::default() }
}

/// Agents that have joined, and complete whatever they are handed.
async fn agents(mesh: &Mesh, ends: &Arc<Ends>, life: &Lifecycle) -> Result<Vec<String>> {
    let mut operator = AgentServiceClient::new(mesh.channel.clone());
    let token = CreateEnrollmentTokenRequest {
        parent: PARENT.into(),
        enrollment_token: Some(EnrollmentToken { max_uses: AGENTS as i32, ..EnrollmentToken::default() }),
        ..CreateEnrollmentTokenRequest::default()
    };
    let token = operator.create_enrollment_token(signed(token, &mesh.key)).await?.into_inner().secret;
    let mut names = Vec::new();
    for number in 0..AGENTS {
        let channel = Channel::from_shared(mesh.url())?.tcp_nodelay(true).connect().await?;
        let mut client = AgentServiceClient::new(channel);
        let key = SigningKey::from_bytes(&Ids::system().bytes());
        let sign = |purpose: &str, subject: &[u8]| {
            key.sign(&[purpose.as_bytes(), &[0], subject].concat()).to_bytes().to_vec().into()
        };
        let enrolled = EnrollAgentRequest {
            token: token.clone(),
            public_key: key.verifying_key().to_bytes().to_vec().into(),
            signature: sign("weft agent enroll v1", token.as_bytes()),
            agent_id: format!("load{number}"),
            ..EnrollAgentRequest::default()
        };
        let name = client.enroll_agent(enrolled).await?.into_inner().name;
        let challenge = client
            .get_agent_challenge(GetAgentChallengeRequest { name: name.clone() })
            .await?
            .into_inner()
            .challenge;
        let signature = sign("weft agent token v1", &challenge);
        let issued = IssueAgentTokenRequest { name: name.clone(), challenge, signature };
        let credential = client.issue_agent_token(issued).await?.into_inner().token;
        let (say, said) = mpsc::channel(256);
        let open = AgentOpen { name: name.clone(), ..AgentOpen::default() };
        say.send(frame(Action::Open(open))).await?;
        let heard = client.attach_agent(signed(ReceiverStream::new(said), &credential)).await?.into_inner();
        life.spawn_future(work(say, heard, Arc::clone(ends)));
        names.push(name);
    }
    Ok(names)
}

fn frame(action: Action) -> AttachAgentRequest {
    AttachAgentRequest { action: Some(action), ..AttachAgentRequest::default() }
}

async fn work(
    say: mpsc::Sender<AttachAgentRequest>,
    mut heard: Streaming<AttachAgentResponse>,
    ends: Arc<Ends>,
) {
    let mut commands: HashMap<String, String> = HashMap::new();
    let report = |report| frame(Action::Work(WorkReport { report: Some(report) }));
    while let Ok(Some(told)) = heard.message().await {
        let said = match told.event {
            Some(Event::Opened(_)) => Said::Ready(WorkerReady { slot_count: SLOTS, leases: Vec::new() }),
            Some(Event::Work(WorkOrder { order: Some(Order::Announce(_)) })) => {
                Said::Ready(WorkerReady { slot_count: SLOTS, leases: Vec::new() })
            }
            Some(Event::Work(WorkOrder { order: Some(Order::Starts(starts)) })) => {
                let mut results = Vec::with_capacity(starts.starts.len());
                for start in starts.starts {
                    results.push(WorkResult {
                        lease: Some(WorkLease { id: start.id.clone(), fence: start.fence }),
                        state: CommandState::Completed.into(),
                        result: Some(prost_types::Struct::default()),
                        ..WorkResult::default()
                    });
                    commands.insert(start.id, start.command);
                }
                Said::Results(WorkResults { results })
            }
            Some(Event::Work(WorkOrder { order: Some(Order::Settlements(settled)) })) => {
                let at = now();
                for settlement in settled.settlements {
                    if let Some(command) = commands.remove(&settlement.id) {
                        ends.record(command, at);
                    }
                }
                continue;
            }
            _ => continue,
        };
        if say.send(report(said)).await.is_err() {
            return;
        }
    }
}
