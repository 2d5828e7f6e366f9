//! Values as properties of the graph's nodes.

use prost_types::value::Kind as ValueKind;
use weft_proto::weft::{
    compute::v1::{Analysis, AnalysisState, Cores, algorithm::Kind},
    graph::v1::{GetNodeRequest, Node, NodeDelete, change::Change},
};

use crate::world::{GRAPH, World, analysis};

fn cores(write_property: &str) -> Analysis {
    Analysis { write_property: write_property.into(), ..analysis(Kind::Cores(Cores {})) }
}

async fn node(world: &World, key: &str) -> Result<Node, tonic::Status> {
    let request = GetNodeRequest { graph: GRAPH.into(), key: key.into() };
    Ok(world.graphs.clone().get_node(request).await?.into_inner())
}

fn number(node: &Node, property: &str) -> Option<f64> {
    match node.properties.as_ref()?.fields.get(property)?.kind {
        Some(ValueKind::NumberValue(number)) => Some(number),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_become_properties_and_nothing_else_changes() {
    let world = World::start().await;
    world.ring(12_000).await;
    world.link(&[("n0", "n2", 1.0)]).await;
    let done = world.run_analysis(cores("core")).await;
    assert_eq!(done.state(), AnalysisState::Succeeded, "{:?}", done.error);
    let result = done.result.unwrap();
    // Three batches.
    assert_eq!((result.written_revision, result.unwritten_count), (result.graph_revision + 3, 0));
    let before = node(&world, "n7").await.unwrap();
    assert_eq!(number(&before, "core"), Some(2.0));

    let done = world.run_analysis(cores("again")).await;
    assert_eq!(done.state(), AnalysisState::Succeeded);
    let after = node(&world, "n11999").await.unwrap();
    assert_eq!((number(&after, "core"), number(&after, "again")), (Some(2.0), Some(2.0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_were_deleted_meanwhile_do_not_come_back() {
    let world = World::start().await;
    world.ring(30_000).await;
    let created = world.create_analysis("a", cores("core")).await.unwrap();
    // Somebody goes on changing the graph.
    let (mut gone, mut at) = (Vec::new(), 0);
    while world.get(&created.name).await.unwrap().state < AnalysisState::Succeeded.into() {
        let key = format!("n{at}");
        world.apply(vec![Change::DeleteNode(NodeDelete { key: key.clone() })]).await;
        gone.push(key);
        at += 7;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let done = world.get(&created.name).await.unwrap();
    assert_eq!(done.state(), AnalysisState::Succeeded, "{:?}", done.error);
    for key in gone {
        assert!(node(&world, &key).await.is_err(), "{key} came back");
    }
    assert!(number(&node(&world, "n29999").await.unwrap(), "core").is_some());
}
