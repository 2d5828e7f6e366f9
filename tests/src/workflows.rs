//! Short words for workflow graphs and their runs.

use serde_json::{Value as Json, json};
use weft_proto::weft::{
    execution::v1::{
        CreateExecutionRequest, Execution, ListStepsRequest, Step, WatchExecutionRequest,
        watch_execution_response::Event,
    },
    graph::v1::{
        ApplyChangesRequest, Change, CreateGraphRequest, Edge, EdgeUpsert, Graph, GraphKind, Node,
        NodeUpsert, change,
    },
};

use crate::client::Client;

/// A change that writes a node of a kind with settings.
pub fn node(key: &str, kind: &str, settings: Json) -> Change {
    let node = Node {
        key: key.into(),
        r#type: kind.into(),
        properties: Some(weft_kit::json::to_struct(settings).into()),
        ..Node::default()
    };
    Change { change: Some(change::Change::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })) }
}

/// A change that makes an edge from a port; from `out` where none is named.
pub fn way(source: &str, port: &str, target: &str) -> Change {
    let edge = Edge { source: source.into(), target: target.into(), r#type: port.into(), ..Edge::default() };
    Change { change: Some(change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None })) }
}

/// Makes the workflow graph `projects/p/graphs/{id}` of nodes and ways.
pub async fn create(client: &Client, id: &str, changes: Vec<Change>) -> String {
    create_in(client, "projects/p", id, changes).await
}

/// Makes a workflow graph of a project.
pub async fn create_in(client: &Client, project: &str, id: &str, changes: Vec<Change>) -> String {
    let request = CreateGraphRequest {
        parent: project.into(),
        graph_id: id.into(),
        graph: Some(Graph { kind: GraphKind::Workflow.into(), ..Graph::default() }),
        ..CreateGraphRequest::default()
    };
    let graph = client.graphs().create_graph(request).await.expect("the name is free").into_inner().name;
    change(client, &graph, changes).await;
    graph
}

/// Changes a workflow graph.
pub async fn change(client: &Client, graph: &str, changes: Vec<Change>) {
    let request = ApplyChangesRequest { graph: graph.into(), changes, ..ApplyChangesRequest::default() };
    client.graphs().apply_changes(request).await.expect("the changes are good");
}

/// A request to run a graph.
pub fn request(graph: &str, input: Json) -> CreateExecutionRequest {
    let execution = Execution {
        graph: graph.into(),
        input: Some(weft_kit::json::to_struct(input)),
        ..Execution::default()
    };
    let (project, _) = graph.split_once("/graphs/").expect("it is a graph's name");
    CreateExecutionRequest {
        parent: project.into(),
        execution: Some(execution),
        ..CreateExecutionRequest::default()
    }
}

/// Starts a run, and gives its name.
pub async fn start(client: &Client, graph: &str, input: Json) -> String {
    client
        .executions()
        .create_execution(request(graph, input))
        .await
        .expect("it can be run")
        .into_inner()
        .name
}

/// Runs a graph to its end.
pub async fn run(client: &Client, graph: &str, input: Json) -> Execution {
    let name = start(client, graph, input).await;
    ended(client, &name).await
}

/// How a run ended.
pub async fn ended(client: &Client, name: &str) -> Execution {
    watch(client, name, |execution, _| execution.end_time.is_some()).await
}

/// Watches a run until something holds of it and the steps that have just changed.
pub async fn watch(client: &Client, name: &str, holds: impl Fn(&Execution, &[Step]) -> bool) -> Execution {
    let request = WatchExecutionRequest { name: name.into(), ..WatchExecutionRequest::default() };
    let mut events = client.executions().watch_execution(request).await.expect("it is there").into_inner();
    while let Some(message) = events.message().await.expect("it goes on") {
        let Some(Event::Changes(changes)) = message.event else { continue };
        let execution = changes.execution.expect("changes have it");
        if holds(&execution, &changes.steps) {
            return execution;
        }
    }
    panic!("the watch of {name} has ended before");
}

/// All steps of a run, with values.
pub async fn steps(client: &Client, name: &str) -> Vec<Step> {
    let mut request =
        ListStepsRequest { parent: name.into(), include_values: true, ..ListStepsRequest::default() };
    let mut all = Vec::new();
    loop {
        let page = client.executions().list_steps(request.clone()).await.expect("it is there").into_inner();
        all.extend(page.steps);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

/// A value of a message as JSON.
pub fn value(field: Option<&prost_types::Value>) -> Json {
    let Some(field) = field else { return json!(null) };
    let wrapped = prost_types::Struct { fields: [("v".to_owned(), field.clone())].into() };
    weft_kit::json::of_struct(&wrapped)["v"].clone()
}
