//! How soon an analysis ends that somebody cancels, from the call to the end of its watch.

use anyhow::{Context, Result};
use weft_proto::weft::compute::v1::{
    Algorithm, Analysis, Betweenness, CancelAnalysisRequest, CreateAnalysisRequest, EdgeDirection,
    WatchAnalysisRequest, algorithm::Kind,
};
use weft_tests::runtime::signed;

use crate::{
    files, graph,
    mesh::Mesh,
    report::{Better, Report, percentile},
    rpc::now,
};

/// The last of a round's cancellations is what counts.
pub(super) async fn measure(report: &mut Report, rounds: u32) -> Result<()> {
    let mesh = Mesh::start().await?;
    let name = mesh.create_graph("debian").await?;
    graph::import(&mesh, &name, &files::DEBIAN).await?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        times.push(cancel(&mesh, &name).await?);
    }
    mesh.stop().await;
    report.add("cancel to end, slowest", percentile(times, 1.0), "ms", 100.0, Better::Lower);
    Ok(())
}

async fn cancel(mesh: &Mesh, graph: &str) -> Result<f64> {
    let mut client = mesh.analyses();
    let direction = EdgeDirection::Both.into();
    let kind = Kind::Betweenness(Betweenness { direction, ..Betweenness::default() });
    let request = CreateAnalysisRequest {
        parent: graph.to_owned(),
        analysis: Some(Analysis { algorithm: Some(Algorithm { kind: Some(kind) }), ..Analysis::default() }),
        ..CreateAnalysisRequest::default()
    };
    let name = client.create_analysis(signed(request, &mesh.key)).await?.into_inner().name;
    let watch = WatchAnalysisRequest { name: name.clone() };
    let mut states = client.watch_analysis(signed(watch, &mesh.key)).await?.into_inner();
    while states.message().await?.context("it runs for minutes")?.progress <= 0.0 {}
    let began = now();
    client.cancel_analysis(signed(CancelAnalysisRequest { name }, &mesh.key)).await?;
    while states.message().await?.is_some() {}
    Ok(began.elapsed().as_secs_f64() * 1e3)
}
