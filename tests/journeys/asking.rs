//! Workflows that ask a database and analyse a graph: what they give, what they may not reach, and what is left when they
//! are cancelled.

use serde_json::{Value as Json, json};
use tonic::Code;
use weft_proto::weft::{
    compute::v1::{AnalysisState, ListAnalysesRequest},
    execution::v1::{
        CancelExecutionRequest, ClearKeptResultsRequest, ExecutionState, ValidateWorkflowRequest,
    },
    graph::v1::Change,
};
use weft_tests::{
    client::Client,
    database::Backends,
    graphs::{self, edge},
    mesh::Mesh,
    refused::refused,
    workflows::{self, node, way},
};

/// A workflow of one node that acts, and what is around it.
fn alone(kind: &str, settings: Json) -> Vec<Change> {
    vec![
        node("start", "input", json!({})),
        node("act", kind, settings),
        node("end", "output", json!({})),
        way("start", "", "act"),
        way("act", "", "end"),
    ]
}

/// Sets a secret.
async fn secret(client: &Client, id: &str, value: &str) {
    let body = json!({"value": value});
    client.rest(&format!("POST /v1/projects/p/secrets?secretId={id}"), Some(&body)).await.ok();
}

/// The reason and the message of a run that failed.
async fn failure(client: &Client, graph: &str, input: Json) -> (String, String) {
    let error = workflows::run(client, graph, input).await.error.expect("it failed");
    (error.reason, error.message)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_asked_where_that_is_allowed() {
    let Some(backends) = Backends::find().await else { return };
    let mesh = Mesh::with(|config| {
        config.execution.http_networks = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await;
    let client = mesh.client();
    secret(&client, "db", &format!("{}?sslmode=disable", backends.postgres)).await;
    let sql = |statement: &str, parameters: Json, writes: bool| {
        json!({
            "connection": "${secrets.db}", "statement": statement, "parameters": parameters, "writes": writes,
            "retry": {"attempts": 1},
        })
    };
    let changes = vec![
        node("start", "input", json!({})),
        node(
            "make",
            "sql",
            sql("CREATE TABLE orders (id int PRIMARY KEY, name text, at timestamptz)", json!([]), true),
        ),
        node(
            "fill",
            "sql",
            sql(
                "INSERT INTO orders SELECT n, $1, '2024-02-29T12:00:00+02' FROM generate_series(1, $2) n",
                json!(["${steps.start.name}", "${steps.start.count}"]),
                true,
            ),
        ),
        node(
            "read",
            "sql",
            sql("SELECT * FROM orders WHERE id > $1 ORDER BY id", json!(["${size(input.rows)}"]), false),
        ),
        node("end", "output", json!({})),
        way("start", "", "make"),
        way("make", "", "fill"),
        way("fill", "", "read"),
        way("read", "", "end"),
    ];
    let graph = workflows::create(&client, "orders", changes).await;
    let ended = workflows::run(&client, &graph, json!({"name": "o'clock; --", "count": 2})).await;
    assert_eq!(ended.state(), ExecutionState::Succeeded, "{:?}", ended.error);
    let row = |id| json!({"id": id, "name": "o'clock; --", "at": "2024-02-29T10:00:00Z"});
    assert_eq!(workflows::value(ended.output.as_ref()), json!({"rows": [row(1), row(2)], "row_count": 2}));
    let (reason, message) = failure(&client, &graph, json!({"name": "a", "count": 1})).await;
    assert!(reason == "SQL_STATEMENT" && message.starts_with("42P07"), "{reason}: {message}");

    // Nothing of the URL is in what anybody sees.
    let steps = workflows::steps(&client, &ended.name).await;
    let shown = format!("{ended:?}{steps:?}{message}");
    assert!(!shown.contains("postgres://"), "{shown}");

    what_was_kept_is_not_done_again(&client).await;
    faults_are_told_when_it_is_saved(&client).await;

    secret(&client, "inside", "postgres://u:hunter2@127.0.0.1:9/d").await;
    let settings =
        json!({"connection": "${secrets.inside}", "statement": "SELECT 1", "retry": {"attempts": 1}});
    let nobody = workflows::create(&client, "nobody", alone("sql", settings)).await;
    let (reason, message) = failure(&client, &nobody, json!({})).await;
    assert!(reason == "SQL_UNAVAILABLE" && !message.contains("hunter2"), "{reason}: {message}");
    mesh.stop_unhurt().await;

    let strict = Mesh::start().await;
    let client = strict.client();
    secret(&client, "db", &format!("{}?sslmode=disable", backends.postgres)).await;
    let graph = workflows::create(&client, "orders", alone("sql", sql("SELECT 1", json!([]), false))).await;
    assert_eq!(failure(&client, &graph, json!({})).await.0, "ADDRESS_REFUSED");
    strict.stop_unhurt().await;
    backends.remove().await;
}

/// Runs a graph to its end: the number that its step has given, the execution that it is from, and the run's name.
async fn counted(client: &Client, graph: &str, input: Json) -> (Option<f64>, String, String) {
    let ended = workflows::run(client, graph, input).await;
    assert_eq!(ended.state(), ExecutionState::Succeeded, "{:?}", ended.error);
    let steps = workflows::steps(client, &ended.name).await;
    let from = steps.iter().find(|step| step.node == "act").map(|step| step.cached_from.clone());
    let given = workflows::value(ended.output.as_ref())["rows"][0]["n"].as_f64();
    (given, from.expect("it was a step"), ended.name)
}

async fn what_was_kept_is_not_done_again(client: &Client) {
    let sql = |cache: Json| {
        json!({
            "connection": "${secrets.db}", "writes": true, "parameters": ["${input.id}"], "cache": cache,
            "statement": "INSERT INTO orders SELECT max(id) + 1, $1 FROM orders RETURNING id AS n",
        })
    };
    let kept = workflows::create(client, "kept", alone("sql", sql(json!({"ttl": "1h"})))).await;
    let (first, from, maker) = counted(client, &kept, json!({"id": "a"})).await;
    assert_eq!(from, "");
    // What it gave is given again, also when it is read back from its journal; another request is another one.
    assert_eq!(counted(client, &kept, json!({"id": "a"})).await.0, first);
    let (again, from, _) = counted(client, &kept, json!({"id": "a"})).await;
    assert_eq!((again, from), (first, maker.clone()));
    let (other, from, _) = counted(client, &kept, json!({"id": "b"})).await;
    assert!(other > first && from.is_empty());

    // Under a name and a key it is shared with other workflows.
    let shared = json!({"ttl": "1h", "name": "orders", "key": "input.key"});
    let one = workflows::create(client, "shared-one", alone("sql", sql(shared.clone()))).await;
    let two = workflows::create(client, "shared-two", alone("sql", sql(shared))).await;
    let (made, _, maker) = counted(client, &one, json!({"id": "c", "key": 1})).await;
    let (given, from, _) = counted(client, &two, json!({"id": "d", "key": 1})).await;
    assert_eq!((given, from), (made, maker));

    let clear = async |body: Json| {
        let answer = client.rest("POST /v1/projects/p/keptResults:clear", Some(&body)).await.ok();
        answer["clearedCount"].as_str().map(str::to_owned)
    };
    assert_eq!(clear(json!({"graph": kept, "cacheName": ""})).await.as_deref(), Some("2"));
    let (anew, from, _) = counted(client, &kept, json!({"id": "a"})).await;
    assert!(anew > made && from.is_empty());
    assert_eq!(clear(json!({"cacheName": "orders"})).await.as_deref(), Some("1"));
    assert_eq!(clear(json!({})).await.as_deref(), Some("1"));
    let both =
        ClearKeptResultsRequest { parent: "projects/p".into(), graph: kept, cache_name: "orders".into() };
    let refusal = refused(client.executions().clear_kept_results(both).await);
    refusal.is(Code::InvalidArgument, "INVALID_FIELD", "cache_name");
}

async fn faults_are_told_when_it_is_saved(client: &Client) {
    for (number, settings, property) in [
        (0, json!({"connection": "postgres://u:p@h/d", "statement": "SELECT 1"}), "connection"),
        (1, json!({"connection": "${secrets.db}", "statement": "SELECT '${input.id}'"}), "statement"),
        (
            2,
            json!({"connection": "${secrets.db}", "statement": "SELECT $2", "parameters": [1]}),
            "parameters",
        ),
        (3, json!({"connection": "${secrets.db}", "statement": "SELECT 1; SELECT 2"}), "statement"),
        (4, json!({"connection": "${secrets.db}", "statement": "SELECT 1", "ca": "nonsense"}), "ca"),
        (5, json!({"connection": "${secrets.db}", "statement": "SELECT 1", "max_rows": 0}), "max_rows"),
    ] {
        let graph = workflows::create(client, &format!("wrong-{number}"), alone("sql", settings)).await;
        let request = ValidateWorkflowRequest { graph };
        let found = client.executions().validate_workflow(request).await.expect("it is there").into_inner();
        let faults: Vec<_> =
            found.faults.iter().map(|fault| (fault.node.as_str(), fault.property.as_str())).collect();
        assert!(faults.contains(&("act", property)), "{number}: {:?}", found.faults);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graph_is_analysed_and_an_analysis_ends_with_its_step() {
    let mesh = Mesh::start().await;
    let client = mesh.client();
    let small = graphs::create(&client, "small").await;
    graphs::apply(&client, &small, vec![edge("a", "b"), edge("b", "c"), edge("c", "a"), edge("c", "d")])
        .await;
    let settings = json!({
        "graph": "${input.graph}", "algorithm": "closeness", "parameters": {"direction": "EDGE_DIRECTION_OUT"},
        "values": 2, "write_property": "near",
    });
    let graph = workflows::create(&client, "near", alone("analysis", settings)).await;
    let ended = workflows::run(&client, &graph, json!({"graph": "small"})).await;
    assert_eq!(ended.state(), ExecutionState::Succeeded, "{:?}", ended.error);
    let given = workflows::value(ended.output.as_ref());
    assert_eq!(given["result"]["node_count"], 4.0, "{given}");
    assert_eq!(given["values"].as_array().map(Vec::len), Some(2), "{given}");
    assert_eq!((&given["values"][0]["node"], &given["values"][0]["values"][0]), (&json!("c"), &json!(0.75)));
    assert!(given["result"]["written_revision"].as_f64().is_some_and(|revision| revision > 0.0), "{given}");
    let nowhere = workflows::run(&client, &graph, json!({"graph": "nowhere"})).await;
    assert_eq!(nowhere.error.expect("it failed").reason, "GRPC_NOT_FOUND");
    let other = workflows::run(&client, &graph, json!({"graph": "projects/q/graphs/x"})).await;
    assert_eq!(other.error.expect("it failed").reason, "OTHER_PROJECT");
    for (number, settings, property) in [
        (0, json!({"graph": "small", "algorithm": "guess"}), "algorithm"),
        (1, json!({"graph": "small", "algorithm": "page_rank", "parameters": {"damping": 2}}), "parameters"),
    ] {
        let graph = workflows::create(&client, &format!("odd-{number}"), alone("analysis", settings)).await;
        let request = ValidateWorkflowRequest { graph };
        let found = client.executions().validate_workflow(request).await.expect("it is there").into_inner();
        assert!(found.faults.iter().any(|fault| fault.property == property), "{:?}", found.faults);
    }
    is_cancelled_with_its_step(&client).await;
    mesh.stop_unhurt().await;
}

/// The state of the newest analysis of a graph, and how many there are.
async fn newest(client: &Client, graph: &str) -> (Option<AnalysisState>, usize) {
    let request = ListAnalysesRequest { parent: graph.into(), ..ListAnalysesRequest::default() };
    let listed = client.analyses().list_analyses(request).await.expect("it is there").into_inner().analyses;
    (listed.first().map(weft_proto::weft::compute::v1::Analysis::state), listed.len())
}

async fn is_cancelled_with_its_step(client: &Client) {
    // Exact betweenness of a long ring takes a while: time to end it.
    let ring = graphs::create(client, "long-ring").await;
    for part in 0..2 {
        let ends = (part * 8_000..(part + 1) * 8_000).map(|at| (at, (at + 1) % 16_000));
        let edges = ends.map(|(from, to)| edge(&format!("n{from}"), &format!("n{to}")));
        graphs::apply(client, &ring, edges.collect()).await;
    }
    let settings = json!({"graph": "long-ring", "algorithm": "betweenness"});
    let graph = workflows::create(client, "long", alone("analysis", settings)).await;
    let name = workflows::start(client, &graph, json!({})).await;
    while newest(client, &ring).await.0 != Some(AnalysisState::Running) {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let request = CancelExecutionRequest { name: name.clone() };
    client.executions().cancel_execution(request).await.expect("it is at work");
    let ended = workflows::ended(client, &name).await;
    assert_eq!(ended.state(), ExecutionState::Cancelled);
    while newest(client, &ring).await.0 == Some(AnalysisState::Running) {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(newest(client, &ring).await, (Some(AnalysisState::Cancelled), 1));
}
