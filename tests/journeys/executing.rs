//! Running workflow graphs: over gRPC and REST, through every kind of wait, with what it calls and what it may not.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value as Json, json};
use tokio::{net::TcpListener, task::JoinSet};
use tonic::Code;
use weft_proto::weft::{
    execution::v1::{
        Approval, CancelExecutionRequest, DecideApprovalRequest, DeleteExecutionRequest, Execution,
        ExecutionState, GetExecutionRequest, GetStepRequest, ListApprovalsRequest, ListExecutionsRequest,
        ListNodeKindsRequest, PauseExecutionRequest, ResumeExecutionRequest, RetryExecutionRequest,
        SignalExecutionRequest, StepState, TerminateExecutionRequest, ValidateWorkflowRequest,
        WatchExecutionRequest,
    },
    graph::v1::Change,
    identity::v1::Role,
};
use weft_tests::{
    client::Client,
    mesh::Mesh,
    refused::{refused, refused_rest},
    workflows::{self, node, way},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workflows_are_run_waited_for_retried_and_forgotten() {
    let mesh = Mesh::with(|config| {
        config.execution.http_networks = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await;
    let client = mesh.client();
    runs_to_its_end(&client).await;
    waits(&client).await;
    is_retried_with_the_mended_graph(&client).await;
    calls_the_mesh(&client, &client.url).await;
    keeps_to_its_limits(&client).await;
    is_refused_what_is_wrong(&client).await;
    over_rest(&client).await;
    is_found_and_forgotten(&client).await;
    who_may(&client).await;
    mesh.stop_unhurt().await;
}

/// How often a server was asked, how many it answers now for `/0` and for `/1`, and how many these were at most.
type Counts = Arc<Mutex<(u32, [u32; 2], [u32; 2])>>;

/// A server that counts who asks at once; an answer takes a while.
struct Asked {
    url: String,
    counts: Counts,
    _tasks: JoinSet<()>,
}

impl Asked {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let counts = Arc::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(Self::serve(listener, Arc::clone(&counts)));
        Self { url, counts, _tasks: tasks }
    }

    async fn serve(listener: TcpListener, counts: Counts) {
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let counts = Arc::clone(&counts);
            let answer = service_fn(move |request: Request<Incoming>| {
                let (counts, kind) = (Arc::clone(&counts), usize::from(request.uri().path() == "/1"));
                async move {
                    {
                        let (count, now, most) = &mut *counts.lock().expect("nothing panics with it");
                        *count += 1;
                        now[kind] += 1;
                        most[kind] = most[kind].max(now[kind]);
                    }
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    counts.lock().expect("nothing panics with it").1[kind] -= 1;
                    Ok::<_, Infallible>(Response::new(String::new()))
                }
            });
            connections.spawn(async move {
                let connection = hyper::server::conn::http1::Builder::new();
                // Ends with an error when its client is gone.
                drop(connection.serve_connection(TokioIo::new(socket), answer).await);
            });
        }
    }

    fn seen(&self) -> (u32, [u32; 2]) {
        let (count, _, most) = *self.counts.lock().expect("nothing panics with it");
        (count, most)
    }
}

/// A workflow with a branch, a map with a body, a sub-graph and a delay.
async fn runs_to_its_end(client: &Client) {
    let inner = vec![
        node("given", "input", json!({})),
        node("twice", "set", json!({"value": "${input.n * 2}"})),
        node("back", "output", json!({})),
        way("given", "", "twice"),
        way("twice", "", "back"),
    ];
    let inner = workflows::create(client, "twice", inner).await;
    let outer = vec![
        node("start", "input", json!({"schema": {"required": ["list"]}})),
        node("any", "if", json!({"condition": "size(input.list) > 0"})),
        node("each", "map", json!({"items": "input.list", "parallel": 3})),
        node("one", "input", json!({"parent": "each"})),
        node("double", "graph", json!({"parent": "each", "graph": inner, "input": {"n": "${item}"}})),
        node("done", "output", json!({"parent": "each"})),
        node("pause", "delay", json!({"for": "20ms"})),
        node("none", "set", json!({"value": []})),
        node("join", "merge", json!({"mode": "any"})),
        node("end", "output", json!({})),
        way("start", "", "any"),
        way("any", "true", "each"),
        way("any", "false", "none"),
        way("one", "", "double"),
        way("double", "", "done"),
        way("each", "", "pause"),
        way("pause", "", "join"),
        way("none", "", "join"),
        way("join", "", "end"),
    ];
    let graph = workflows::create(client, "outer", outer).await;
    let request = ValidateWorkflowRequest { graph: graph.clone() };
    let found = client.executions().validate_workflow(request).await.expect("it is there").into_inner();
    assert_eq!(found.faults, []);
    let ended = workflows::run(client, &graph, json!({"list": [1, 2, 3, 4, 5]})).await;
    assert_eq!(ended.state(), ExecutionState::Succeeded, "{:?}", ended.error);
    assert_eq!(workflows::value(ended.output.as_ref()), json!([2, 4, 6, 8, 10]));
    let steps = workflows::steps(client, &ended.name).await;
    let third = steps.iter().find(|step| step.path == "each[2]/double/twice").expect("it was run");
    assert_eq!(workflows::value(third.input.as_ref()), json!({"n": 3}));
    assert_eq!(steps.len(), ended.step_count as usize);
    let ended = workflows::run(client, &graph, json!({"list": []})).await;
    assert_eq!(workflows::value(ended.output.as_ref()), json!([]));
    // Once, and with the answer when it has ended.
    let mut request = workflows::request(&graph, json!({"list": [4]}));
    request.request_id = "6f1c1c0e-5b1d-4a43-9a55-0d1f7c0a1b01".into();
    request.wait_duration = Some(prost_types::Duration { seconds: 10, nanos: 0 });
    let first = client.executions().create_execution(request.clone()).await.expect("it runs").into_inner();
    assert_eq!(workflows::value(first.output.as_ref()), json!([8]));
    let again =
        client.executions().create_execution(request.clone()).await.expect("it is a repeat").into_inner();
    assert_eq!(again.name, first.name);
    request.execution.as_mut().expect("it has one").input = None;
    let other = client.executions().create_execution(request.clone()).await;
    refused(other).is(Code::InvalidArgument, "REQUEST_ID_REUSED", "request_id");
    request.request_id = String::new();
    let bad = client.executions().create_execution(request).await;
    refused(bad).is(Code::InvalidArgument, "INPUT_INVALID", "execution.input");
}

/// A delay, a signal and a person; paused and cancelled meanwhile.
async fn waits(client: &Client) {
    let form =
        json!({"type": "object", "required": ["amount"], "properties": {"amount": {"type": "integer"}}});
    let changes = vec![
        node("start", "input", json!({})),
        node("go", "signal", json!({"signal": "go"})),
        node("ask", "approval", json!({"title": "Pay ${input.who}?", "form": form})),
        node("yes", "output", json!({})),
        node("no", "fail", json!({"message": "${input.comment}"})),
        way("start", "", "go"),
        way("go", "", "ask"),
        way("ask", "approved", "yes"),
        way("ask", "rejected", "no"),
    ];
    let graph = workflows::create(client, "waits", changes).await;
    let signal = |name: &str| SignalExecutionRequest {
        name: name.into(),
        signal: "go".into(),
        payload: Some(prost_types::Value {
            kind: Some(prost_types::value::Kind::StructValue(weft_kit::json::to_struct(
                json!({"who": "Ada"}),
            ))),
        }),
        request_id: "6f1c1c0e-5b1d-4a43-9a55-0d1f7c0a1b02".into(),
    };
    let decide = |step: &str, approved, form: Json| DecideApprovalRequest {
        name: step.into(),
        approved,
        form: Some(weft_kit::json::to_struct(form)),
        comment: "because".into(),
    };
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(workflows::start(client, &graph, json!({})).await);
    }
    for name in &names {
        client.executions().signal_execution(signal(name)).await.expect("it waits");
        client.executions().signal_execution(signal(name)).await.expect("it is a repeat");
    }
    let mut asked = Vec::new();
    for name in &names {
        workflows::watch(client, name, |_, steps| steps.iter().any(|step| step.kind == "approval")).await;
        let steps = workflows::steps(client, name).await;
        let step = steps.into_iter().find(|step| step.state() == StepState::Waiting).expect("it asks");
        assert_eq!(step.approval.as_ref().expect("it asks").title, "Pay Ada?");
        asked.push(step.name);
    }
    let mut executions = client.executions();
    let (page, token) = approvals(client, 3, "").await;
    let (rest, end) = approvals(client, 3, &token).await;
    assert_eq!([page, rest].concat().iter().rev().collect::<Vec<_>>(), asked.iter().collect::<Vec<_>>());
    assert_eq!(end, "");
    refused(executions.decide_approval(decide(&asked[0], true, json!({"amount": "much"}))).await).is(
        Code::InvalidArgument,
        "INPUT_INVALID",
        "form.amount",
    );
    let step = executions.decide_approval(decide(&asked[0], true, json!({"amount": 5}))).await;
    assert_eq!(step.expect("it is right").into_inner().port, "approved");
    executions.decide_approval(decide(&asked[0], true, json!({"amount": 5}))).await.expect("it is a repeat");
    refused(executions.decide_approval(decide(&asked[0], false, json!({}))).await).is(
        Code::FailedPrecondition,
        "WRONG_STATE",
        "",
    );
    let ended = workflows::ended(client, &names[0]).await;
    let given = workflows::value(ended.output.as_ref());
    assert_eq!((&given["form"], &given["approved"]), (&json!({"amount": 5}), &json!(true)));
    executions.decide_approval(decide(&asked[1], false, json!({}))).await.expect("it asks");
    let ended = workflows::ended(client, &names[1]).await;
    assert_eq!(ended.error.expect("it failed").message, "because");

    let pause = PauseExecutionRequest { name: names[2].clone() };
    let paused = executions.pause_execution(pause).await.expect("it runs").into_inner();
    assert_eq!(paused.state(), ExecutionState::Paused);
    let resume = ResumeExecutionRequest { name: names[2].clone() };
    let resumed = executions.resume_execution(resume).await.expect("it is paused").into_inner();
    assert_eq!(resumed.state(), ExecutionState::Running);
    let cancel = CancelExecutionRequest { name: names[2].clone() };
    for _ in 0..2 {
        let cancelled = executions.cancel_execution(cancel.clone()).await.expect("it runs").into_inner();
        assert_eq!(cancelled.state(), ExecutionState::Cancelled);
    }
    let terminate = TerminateExecutionRequest { name: names[3].clone() };
    let ended = executions.terminate_execution(terminate).await.expect("it runs").into_inner();
    assert_eq!(ended.state(), ExecutionState::Terminated);
    let steps = workflows::steps(client, &names[3]).await;
    assert_eq!(steps.last().expect("it has some").state(), StepState::Cancelled);
    assert_eq!(approvals(client, 0, "").await.0, [""; 0]);
}

/// The steps of a page that wait for a person, and the token of the next one.
async fn approvals(client: &Client, page_size: i32, page_token: &str) -> (Vec<String>, String) {
    let parent = "projects/p".to_owned();
    let request = ListApprovalsRequest { parent, page_size, page_token: page_token.to_owned() };
    let page = client.executions().list_approvals(request).await.expect("a page").into_inner();
    let step = |approval: Approval| {
        let step = approval.step.expect("a step");
        assert!(approval.execution.expect("its execution").approval_count > 0);
        assert_eq!(step.approval.expect("it asks").title, "Pay Ada?");
        step.name
    };
    (page.approvals.into_iter().map(step).collect(), page.next_page_token)
}

/// A step that fails because the graph is wrong goes on once the graph is mended.
async fn is_retried_with_the_mended_graph(client: &Client) {
    let check = |condition: &str| node("check", "if", json!({"condition": condition}));
    let mut changes = vec![
        node("start", "input", json!({})),
        node("work", "noop", json!({})),
        check("input.missing"),
        node("end", "output", json!({})),
    ];
    changes.extend([way("start", "", "work"), way("work", "", "check"), way("check", "true", "end")]);
    let graph = workflows::create(client, "mended", changes).await;
    let failed = workflows::run(client, &graph, json!({"n": 1})).await;
    let error = failed.error.expect("it failed");
    assert_eq!((error.reason.as_str(), failed.state), ("EXPRESSION_FAILED", ExecutionState::Failed.into()));
    assert!(error.step.ends_with("/steps/3"), "{error:?}");
    let before = workflows::steps(client, &failed.name).await;
    let retry = RetryExecutionRequest {
        name: failed.name.clone(),
        newest_graph: true,
        request_id: "6f1c1c0e-5b1d-4a43-9a55-0d1f7c0a1b03".into(),
        ..RetryExecutionRequest::default()
    };
    workflows::change(client, &graph, vec![check("input.n == 1")]).await;
    client.executions().retry_execution(retry.clone()).await.expect("it failed");
    let ended = workflows::ended(client, &failed.name).await;
    assert_eq!(ended.state(), ExecutionState::Succeeded, "{:?}", ended.error);
    assert!(ended.graph_revision > failed.graph_revision);
    client.executions().retry_execution(retry).await.expect("it is a repeat");
    let after = workflows::steps(client, &failed.name).await;
    assert_eq!(before[1].end_time, after[1].end_time, "what finished was not run again");
}

/// Two runs of two workflows ask the same server, which is never asked more often at once than they say.
async fn keeps_to_its_limits(client: &Client) {
    let asked = Asked::start().await;
    let workflow = |limit: Json| {
        vec![
            node("start", "input", json!({})),
            node("each", "map", json!({"items": "input.list", "parallel": 12})),
            node("one", "input", json!({"parent": "each"})),
            node(
                "ask",
                "http",
                json!({"parent": "each", "url": format!("{}/${{item % 2}}", asked.url), "limit": limit}),
            ),
            node("done", "output", json!({"parent": "each"})),
            node("end", "output", json!({})),
            way("start", "", "each"),
            way("one", "", "ask"),
            way("ask", "", "done"),
            way("each", "", "end"),
        ]
    };
    let mut names = Vec::new();
    for id in ["limited", "limited-too"] {
        let limit = json!({"name": "weather", "key": "item % 2", "at_once": 2});
        let graph = workflows::create(client, id, workflow(limit)).await;
        names.push(workflows::start(client, &graph, json!({"list": (0..12).collect::<Vec<_>>()})).await);
    }
    for name in names {
        let ended = workflows::ended(client, &name).await;
        assert_eq!(ended.state(), ExecutionState::Succeeded, "{:?}", ended.error);
    }
    let (count, most) = asked.seen();
    assert_eq!((count, most), (24, [2, 2]), "all there is room for, and no more");

    // Of eight, two may begin at once, and then one each quarter of a second.
    let limit = json!({"rate": "4/1s", "burst": 2});
    let graph = workflows::create(client, "gently", workflow(limit)).await;
    let name = workflows::start(client, &graph, json!({"list": (0..8).collect::<Vec<_>>()})).await;
    let ended = workflows::ended(client, &name).await;
    assert_eq!(ended.state(), ExecutionState::Succeeded, "{:?}", ended.error);
    let micros = |at: Option<prost_types::Timestamp>| {
        at.map(|at| at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000).expect("it has begun and ended")
    };
    let took = micros(ended.end_time) - micros(ended.create_time);
    assert!(took >= 1_500_000, "six have waited, and all took {took} µs");
}

/// A method of the mesh, HTTP to where it may and where it may not.
async fn calls_the_mesh(client: &Client, url: &str) {
    let changes = vec![
        node("start", "input", json!({})),
        node(
            "get",
            "grpc",
            json!({
                "method": "weft.graph.v1.GraphService/GetGraph", "request": {"name": "${input.graph}"},
            }),
        ),
        node("health", "http", json!({"url": "${steps.start.url}/healthz", "any_status": true})),
        node("end", "set", json!({"value": {"graph": "${steps.get.name}", "status": "${input.status}"}})),
        node("out", "output", json!({})),
        way("start", "", "get"),
        way("get", "", "health"),
        way("health", "", "end"),
        way("end", "", "out"),
    ];
    let graph = workflows::create(client, "calls", changes).await;
    let ended = workflows::run(client, &graph, json!({"graph": graph, "url": url})).await;
    assert_eq!(ended.state(), ExecutionState::Succeeded, "{:?}", ended.error);
    let given = workflows::value(ended.output.as_ref());
    assert_eq!((&given["graph"], &given["status"]), (&json!(graph), &json!(200)));
    // Another project is none of its business, whoever this service is.
    let ended = workflows::run(client, &graph, json!({"graph": "projects/q/graphs/x", "url": url})).await;
    assert_eq!(ended.error.expect("it failed").reason, "OTHER_PROJECT");
    for inside in [
        "http://169.254.169.254/latest",
        "http://[::ffff:10.0.0.1]/",
        "http://0x0a000001/",
        "http://012.0.0.1/",
    ] {
        let ended = workflows::run(client, &graph, json!({"graph": graph, "url": inside})).await;
        assert_eq!(ended.error.expect("it failed").reason, "ADDRESS_REFUSED", "{inside}");
    }
}

async fn is_refused_what_is_wrong(client: &Client) {
    let wrong: Vec<Change> = vec![
        node("start", "input", json!({})),
        node("odd", "teleport", json!({})),
        node("bad", "if", json!({"condition": "1 +"})),
        way("start", "sideways", "bad"),
    ];
    let graph = workflows::create(client, "wrong", wrong).await;
    let request = ValidateWorkflowRequest { graph: graph.clone() };
    let found = client.executions().validate_workflow(request).await.expect("it is there").into_inner();
    let faults: Vec<_> =
        found.faults.iter().map(|fault| (fault.node.as_str(), fault.reason.as_str())).collect();
    for fault in [("odd", "UNKNOWN_KIND"), ("bad", "BAD_EXPRESSION"), ("start", "UNKNOWN_PORT")] {
        assert!(faults.contains(&fault), "{faults:?}");
    }
    let refusal = refused(create(client, &graph).await);
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::FailedPrecondition, "WORKFLOW_INVALID"));
    let knowledge = weft_tests::graphs::create(client, "knowledge").await;
    refused(create(client, &knowledge).await).is(Code::FailedPrecondition, "NOT_A_WORKFLOW", "");
    refused(create(client, "projects/p/graphs/nowhere").await).is(Code::NotFound, "GRAPH_NOT_FOUND", "");
    let mut elsewhere = workflows::request("projects/q/graphs/other", json!({}));
    elsewhere.parent = "projects/p".into();
    let refusal = refused(client.executions().create_execution(elsewhere).await);
    refusal.is(Code::InvalidArgument, "INVALID_FIELD", "execution.graph");
    let mut old = workflows::request("projects/p/graphs/twice", json!({}));
    old.execution.as_mut().expect("it has one").graph_revision = 1;
    refused(client.executions().create_execution(old).await).is(Code::Aborted, "REVISION_MISMATCH", "");
}

/// What starting a graph says.
async fn create(client: &Client, graph: &str) -> Result<tonic::Response<Execution>, tonic::Status> {
    client.executions().create_execution(workflows::request(graph, json!({}))).await
}

async fn over_rest(client: &Client) {
    let body = json!({"graph": "projects/p/graphs/twice", "input": {"n": 21}});
    let line = "POST /v1/projects/p/executions?waitDuration=10s";
    let created = client.rest(line, Some(&body)).await.ok();
    assert_eq!(created["output"].as_f64(), Some(42.0), "{created}");
    let name = created["name"].as_str().expect("it has a name").to_owned();
    let steps = client.rest(&format!("GET /v1/{name}/steps"), None).await.ok();
    assert_eq!(steps["steps"].as_array().map(Vec::len), Some(3));
    let kinds = client.rest("GET /v1/projects/p/nodeKinds", None).await.ok();
    assert!(kinds["nodeKinds"].as_array().is_some_and(|all| all.len() > 15), "{kinds}");
    let missing = client.rest("GET /v1/projects/p/executions/nowhere", None).await;
    refused_rest(&missing, 404).is(Code::NotFound, "EXECUTION_NOT_FOUND", "");
}

async fn is_found_and_forgotten(client: &Client) {
    let list = |filter: &str, page_token: String| ListExecutionsRequest {
        parent: "projects/p".into(),
        page_size: 3,
        filter: filter.into(),
        page_token,
        ..ListExecutionsRequest::default()
    };
    let mut token = String::new();
    let mut all: Vec<Execution> = Vec::new();
    loop {
        let page = client.executions().list_executions(list("", token)).await.expect("it lists").into_inner();
        all.extend(page.executions);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let created = |execution: &Execution| execution.create_time.map(|time| (time.seconds, time.nanos));
    assert!(all.len() > 12 && all.windows(2).all(|two| created(&two[0]) >= created(&two[1])));
    let failed = list("state = failed AND error = \"OTHER_PROJECT\"", String::new());
    let failed = client.executions().list_executions(failed).await.expect("it lists").into_inner().executions;
    assert_eq!(failed.len(), 1);
    let of_graph = list("graph = mended", String::new());
    let of_graph = client.executions().list_executions(of_graph).await.expect("it lists").into_inner();
    assert_eq!(of_graph.executions.len(), 1);
    let name = failed[0].name.clone();
    let delete = DeleteExecutionRequest { name: name.clone() };
    client.executions().delete_execution(delete).await.expect("it has ended");
    let get = client.executions().get_execution(GetExecutionRequest { name }).await;
    refused(get).is(Code::NotFound, "EXECUTION_NOT_FOUND", "");
    let running = workflows::start(client, "projects/p/graphs/waits", json!({})).await;
    let delete = DeleteExecutionRequest { name: running.clone() };
    refused(client.executions().delete_execution(delete).await).is(
        Code::FailedPrecondition,
        "WRONG_STATE",
        "",
    );
    let step = GetStepRequest { name: format!("{running}/steps/99") };
    refused(client.executions().get_step(step).await).is(Code::NotFound, "STEP_NOT_FOUND", "");
}

/// A viewer looks, an operator runs, and nobody else does either.
async fn who_may(client: &Client) {
    let viewer = client.as_other(Some(&client.new_key("projects/p", Role::Viewer, &[]).await));
    let operator = client.as_other(Some(&client.new_key("projects/p", Role::Operator, &[]).await));
    let other = client.as_other(Some(&client.new_key("projects/other", Role::Admin, &[]).await));
    let request = || workflows::request("projects/p/graphs/twice", json!({"n": 1}));
    let created =
        operator.executions().create_execution(request()).await.expect("an operator may").into_inner();
    for (who, may_look) in [(&viewer, true), (&operator, true), (&other, false)] {
        let get = who.executions().get_execution(GetExecutionRequest { name: created.name.clone() }).await;
        assert_eq!(get.is_ok(), may_look, "{get:?}");
        let watch = WatchExecutionRequest { name: created.name.clone(), ..WatchExecutionRequest::default() };
        assert_eq!(who.executions().watch_execution(watch).await.is_ok(), may_look);
        let kinds = ListNodeKindsRequest { parent: "projects/p".into(), ..ListNodeKindsRequest::default() };
        assert_eq!(who.executions().list_node_kinds(kinds).await.is_ok(), may_look);
    }
    for who in [&viewer, &other] {
        let refusal = refused(who.executions().create_execution(request()).await);
        assert_eq!(refusal.code, Code::PermissionDenied);
    }
    // What a run calls, it calls with the rights of whoever started it.
    let calls = |method: &str, request: serde_json::Value| {
        vec![
            node("start", "input", json!({})),
            node("call", "grpc", json!({"method": method, "request": request})),
            way("start", "", "call"),
        ]
    };
    let get = calls("weft.graph.v1.GraphService/GetGraph", json!({"name": "projects/p/graphs/twice"}));
    let graph = workflows::create(client, "get", get).await;
    let scopes = ["execution.read", "execution.write"];
    let narrow = client.as_other(Some(&client.new_key("projects/p", Role::Operator, &scopes).await));
    let ended = workflows::run(&narrow, &graph, json!({})).await;
    assert_eq!(ended.error.expect("it may not").reason, "GRPC_PERMISSION_DENIED");
    let writes = json!({"parent": graph, "analysis": {"algorithm": {"weak_components": {}}, "write_property": "part"}});
    let writes = calls("weft.compute.v1.AnalysisService/CreateAnalysis", writes);
    let writes = workflows::create(client, "writes", writes).await;
    let scopes = [&scopes[..], &["compute.read", "compute.write", "graph.read"]].concat();
    let narrow = client.as_other(Some(&client.new_key("projects/p", Role::Operator, &scopes).await));
    let ended = workflows::run(&narrow, &writes, json!({})).await;
    let error = ended.error.expect("it may not write to the graph");
    assert!(error.reason == "GRPC_PERMISSION_DENIED" && error.message.contains("graph.write"), "{error:?}");
    let ended = workflows::run(&operator, &graph, json!({})).await;
    assert_eq!(ended.state(), ExecutionState::Succeeded, "{:?}", ended.error);
    // What is for administrators no run calls, also not theirs: others write workflows too.
    let list = calls("weft.identity.v1.IdentityService/ListApiKeys", json!({"parent": "projects/p"}));
    let graph = workflows::create(client, "keys", list).await;
    let refusal = refused(client.executions().create_execution(workflows::request(&graph, json!({}))).await);
    refusal.is(Code::FailedPrecondition, "WORKFLOW_INVALID", "call.method");
}
