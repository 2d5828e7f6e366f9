//! What is asked of an agent about its host: over the stream that it keeps, from every process, and why not.

use tonic::{Code, Status};
use weft_proto::weft::agent::v1::{
    GetKnowledgeFileRequest, Goodbye, HostAnswer, HostQuestion, HostRefusal, HostRefusalReason,
    KnowledgeFile, ListKnowledgeFilesRequest, ListKnowledgeFilesResponse, ListProcessesRequest,
    ListProcessesResponse, Process as Running, ReadKnowledgeFileRequest, StopProcessRequest,
    StopProcessResponse, attach_agent_request::Action, attach_agent_response::Event, host_answer::Outcome,
    host_question::Ask,
};

use crate::world::{Host, Line, Process, World, quick, refused, why};

/// An agent that has joined, and can do this.
async fn able(process: &Process, hostname: &str, capabilities: &[&str]) -> Host {
    let mut host = process.joined(hostname).await;
    host.facts.capabilities = capabilities.iter().map(|name| (*name).to_owned()).collect();
    host
}

async fn list(process: &Process, request: ListProcessesRequest) -> Result<ListProcessesResponse, Status> {
    let answer = process.hosts.clone().list_processes(process.by_admin(request)).await;
    answer.map(tonic::Response::into_inner)
}

fn of(host: &Host) -> ListProcessesRequest {
    ListProcessesRequest { parent: host.name.clone(), ..ListProcessesRequest::default() }
}

/// The next question that an agent hears.
async fn asked(line: &mut Line) -> HostQuestion {
    loop {
        if let Some(Event::HostQuestion(question)) = line.hear().await.expect("it stays connected").event {
            return question;
        }
    }
}

async fn answer(line: &Line, question: &HostQuestion, outcome: Outcome) {
    line.say(0, 0, Action::HostAnswer(HostAnswer { id: question.id, outcome: Some(outcome) })).await;
}

fn page(names: &[&str], next_page_token: &str) -> Outcome {
    let running = |name: &&str| Running { name: (*name).to_owned(), ..Running::default() };
    Outcome::Processes(ListProcessesResponse {
        processes: names.iter().map(running).collect(),
        next_page_token: next_page_token.into(),
        ..ListProcessesResponse::default()
    })
}

fn refusal(reason: HostRefusalReason, subject: &str) -> Outcome {
    Outcome::Refusal(HostRefusal {
        reason: reason.into(),
        message: "because".into(),
        subject: subject.into(),
    })
}

#[tokio::test]
async fn an_agent_is_asked_from_every_process_and_page_by_page() {
    let world = World::new().await;
    let (here, there) = (world.process(quick()).await, world.process(quick()).await);
    let host = able(&here, "a", &["host", "host:processes"]).await;
    let mut line = host.attach(&here, "").await.expect("it attaches");
    for process in [&here, &there] {
        process.until(&host.name, |agent| !agent.capabilities.is_empty()).await;
        let agent = async {
            let question = asked(&mut line).await;
            let Some(Ask::ListProcesses(request)) = &question.ask else { panic!("{question:?}") };
            assert_eq!((request.page_size, &*request.page_token), (50, ""));
            answer(&line, &question, page(&["one"], "1")).await;
            let question = asked(&mut line).await;
            let Some(Ask::ListProcesses(request)) = &question.ask else { panic!("{question:?}") };
            assert_eq!((request.page_size, &*request.page_token), (200, "1"), "the agent's own place");
            answer(&line, &question, page(&["two"], "")).await;
        };
        let person = async {
            let first = list(process, of(&host)).await.expect("it answers");
            assert_eq!(first.processes[0].name, "one");
            let next = ListProcessesRequest {
                page_token: first.next_page_token.clone(),
                page_size: 1_000,
                ..of(&host)
            };
            let last = list(process, next).await.expect("it answers");
            assert_eq!((&*last.processes[0].name, &*last.next_page_token), ("two", ""));
            first.next_page_token
        };
        let ((), token) = tokio::join!(agent, person);
        let other = ListProcessesRequest { page_token: token, filter: "x".into(), ..of(&host) };
        refused(list(process, other).await, Code::InvalidArgument, "INVALID_FIELD");
    }
}

#[tokio::test]
async fn what_an_agent_refuses_is_said_by_everybody_in_the_same_way() {
    let world = World::new().await;
    let (here, there) = (world.process(quick()).await, world.process(quick()).await);
    let host = able(&here, "a", &["host", "host:processes"]).await;
    let mut line = host.attach(&here, "").await.expect("it attaches");
    there.until(&host.name, |agent| !agent.capabilities.is_empty()).await;
    let reasons = [
        (HostRefusalReason::NotKnown, Code::FailedPrecondition, "AGENT_TOO_OLD"),
        (HostRefusalReason::NotAllowed, Code::FailedPrecondition, "HOST_NOT_ALLOWED"),
        (HostRefusalReason::Invalid, Code::InvalidArgument, "INVALID_FIELD"),
        (HostRefusalReason::Denied, Code::FailedPrecondition, "HOST_DENIED"),
        (HostRefusalReason::Busy, Code::ResourceExhausted, "HOST_BUSY"),
        (HostRefusalReason::Failed, Code::Internal, "HOST_FAILED"),
    ];
    for (reason, code, told) in reasons {
        for process in [&here, &there] {
            let agent = async {
                let question = asked(&mut line).await;
                answer(&line, &question, refusal(reason, "filter")).await;
            };
            let (answered, ()) = tokio::join!(list(process, of(&host)), agent);
            refused(answered, code, told);
        }
    }
    // An answer to something else.
    let agent = async {
        let question = asked(&mut line).await;
        answer(&line, &question, Outcome::Stopped(StopProcessResponse::default())).await;
    };
    let (answered, ()) = tokio::join!(list(&here, of(&host)), agent);
    refused(answered, Code::Internal, "HOST_FAILED");
}

#[tokio::test]
async fn who_cannot_be_asked_is_not() {
    let world = World::new().await;
    let (here, there) = (world.process(quick()).await, world.process(quick()).await);
    let missing = ListProcessesRequest { parent: "projects/p/agents/nobody".into(), ..Default::default() };
    refused(list(&here, missing).await, Code::NotFound, "AGENT_NOT_FOUND");
    let old = able(&here, "old", &["echo"]).await;
    refused(list(&here, of(&old)).await, Code::FailedPrecondition, "AGENT_OFFLINE");
    let _line = old.attach(&here, "").await.expect("it attaches");
    refused(list(&here, of(&old)).await, Code::FailedPrecondition, "AGENT_TOO_OLD");

    let host = able(&here, "a", &["host", "host:processes"]).await;
    let line = host.attach(&here, "").await.expect("it attaches");
    there.until(&host.name, |agent| agent.session.is_some()).await;
    let stop = StopProcessRequest {
        name: host.name.clone(),
        process_id: 7,
        start_time: Some(prost_types::Timestamp::default()),
        ..StopProcessRequest::default()
    };
    for process in [&here, &there] {
        let answered = process.hosts.clone().stop_process(process.by_admin(stop.clone())).await;
        let status = answered.expect_err("it is not open");
        assert_eq!(why(&status), (Code::FailedPrecondition, "HOST_NOT_ALLOWED".into()));
        assert!(status.message().contains("stop-process"), "{status:?}");
    }
    line.say(0, 0, Action::Goodbye(Goodbye {})).await;
    there.until(&host.name, |agent| agent.session.is_none()).await;
    refused(list(&there, of(&host)).await, Code::FailedPrecondition, "AGENT_OFFLINE");
}

#[tokio::test]
async fn a_question_is_over_with_its_connection() {
    let world = World::new().await;
    let (here, there) = (world.process(quick()).await, world.process(quick()).await);
    let host = able(&here, "a", &["host", "host:processes"]).await;
    for process in [&here, &there] {
        let mut line = host.attach(&here, "").await.expect("it attaches");
        process.until(&host.name, |agent| agent.session.is_some()).await;
        let agent = async {
            asked(&mut line).await;
            line.say(0, 0, Action::Goodbye(Goodbye {})).await;
        };
        let (answered, ()) = tokio::join!(list(process, of(&host)), agent);
        refused(answered, Code::Unavailable, "AGENT_SILENT");
        process.until(&host.name, |agent| agent.session.is_none()).await;
    }
}

#[tokio::test]
async fn knowledge_files_are_asked_for_page_by_page_and_texts_only_where_they_are_shown() {
    let world = World::new().await;
    let (here, there) = (world.process(quick()).await, world.process(quick()).await);
    let host = able(&here, "a", &["host", "host:knowledge"]).await;
    let mut line = host.attach(&here, "").await.expect("it attaches");
    for process in [&here, &there] {
        process.until(&host.name, |agent| !agent.capabilities.is_empty()).await;
        let name = format!("{}/knowledgeFiles/0a", host.name);
        let agent = async {
            for (token, next) in [("", "1"), ("1", "")] {
                let question = asked(&mut line).await;
                let Some(Ask::ListKnowledgeFiles(request)) = &question.ask else { panic!("{question:?}") };
                assert_eq!((request.page_size, &*request.page_token, &*request.search), (50, token, "x"));
                let page = ListKnowledgeFilesResponse {
                    knowledge_files: vec![KnowledgeFile { name: name.clone(), ..KnowledgeFile::default() }],
                    next_page_token: next.into(),
                    ..ListKnowledgeFilesResponse::default()
                };
                answer(&line, &question, Outcome::KnowledgeFiles(page)).await;
            }
            let question = asked(&mut line).await;
            let Some(Ask::GetKnowledgeFile(request)) = &question.ask else { panic!("{question:?}") };
            assert_eq!(request.name, name);
            answer(&line, &question, refusal(HostRefusalReason::NotFound, &name)).await;
        };
        let person = async {
            let mut client = process.hosts.clone();
            let mut request = ListKnowledgeFilesRequest {
                parent: host.name.clone(),
                search: "x".into(),
                ..Default::default()
            };
            for is_last in [false, true] {
                let page = client.list_knowledge_files(process.by_admin(request.clone())).await;
                let page = page.expect("it answers").into_inner();
                assert_eq!((page.knowledge_files.len(), page.next_page_token.is_empty()), (1, is_last));
                request.page_token = page.next_page_token;
            }
            let get = GetKnowledgeFileRequest { name: name.clone() };
            let got = client.get_knowledge_file(process.by_admin(get)).await;
            refused(got, Code::NotFound, "KNOWLEDGE_FILE_NOT_FOUND");
            // It shows no texts: it is not even asked.
            let read = ReadKnowledgeFileRequest { name: name.clone(), ..Default::default() };
            let read = client.read_knowledge_file(process.by_admin(read)).await;
            refused(read, Code::FailedPrecondition, "HOST_NOT_ALLOWED");
        };
        tokio::join!(agent, person);
    }
}
