//! A folder of notes that a graph is kept true to: the first refresh, and one when nothing has changed.

use std::{fmt::Write, fs};

use anyhow::{Context, Result, ensure};
use weft_proto::weft::graph::v1::{
    CreateSourceRequest, FolderLocation, PropertyLink, RefreshSourceRequest, RefreshState, Source,
    WatchRefreshRequest, source::Location, source_service_client::SourceServiceClient,
};
use weft_tests::runtime::signed;

use crate::{
    mesh::Mesh,
    report::{Better, Report, median},
    rpc::now,
};

/// Pages in the folder, of two kilobytes each.
const PAGES: usize = 5_000;
/// Links of each page.
const LINKS: usize = 5;

/// Adds what is measured to the report.
pub(crate) async fn measure(mesh: &Mesh, rounds: u32, report: &mut Report) -> Result<()> {
    for page in 0..PAGES {
        let mut text = format!("---\nauthor: author-{}\nconfidence: 0.{}\n---\n", page % 50, page % 10);
        for link in 1..=LINKS {
            write!(text, "See [[page-{}]]. ", (page * 31 + link * 977) % PAGES)?;
        }
        text.push_str(&"Words that are searched for later on. ".repeat(45));
        fs::write(mesh.notes().join(format!("page-{page}.md")), text)?;
    }
    let (mut firsts, mut agains) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let graph = mesh.create_graph(&format!("notes-{round}")).await?;
        let location =
            FolderLocation { folder: "projects/default/folders/notes".into(), ..FolderLocation::default() };
        let author = PropertyLink { property: "author".into(), ..PropertyLink::default() };
        let create = CreateSourceRequest {
            parent: graph,
            source: Some(Source {
                location: Some(Location::Folder(location)),
                property_links: vec![author],
                ..Source::default()
            }),
            ..CreateSourceRequest::default()
        };
        let mut sources = SourceServiceClient::new(mesh.channel.clone());
        let name = sources.create_source(signed(create, &mesh.key)).await?.into_inner().name;
        firsts.push(refresh(mesh, &name).await?);
        agains.push(refresh(mesh, &name).await?);
    }
    report.add("first refresh of a folder of 5,000 pages", median(firsts), "s", 2.0, Better::Lower);
    report.add("refresh of the same, nothing changed", median(agains), "s", 1.0, Better::Lower);
    Ok(())
}

/// How long a refresh takes, in seconds.
async fn refresh(mesh: &Mesh, name: &str) -> Result<f64> {
    let mut sources = SourceServiceClient::new(mesh.channel.clone());
    let began = now();
    let request = RefreshSourceRequest { name: name.to_owned() };
    let begun = sources.refresh_source(signed(request, &mesh.key)).await?.into_inner();
    let watch = WatchRefreshRequest { name: begun.name };
    let mut states = sources.watch_refresh(signed(watch, &mesh.key)).await?.into_inner();
    let mut last = None;
    while let Some(state) = states.message().await? {
        last = Some(state);
    }
    let took = began.elapsed().as_secs_f64();
    let last = last.context("its state is told")?;
    ensure!(last.state() == RefreshState::Succeeded, "{last:?}");
    Ok(took)
}
