//! Folders that graphs are brought up to date from.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use tonic::Code;
use weft_graph::{FolderOptions, Options};
use weft_proto::weft::graph::v1::{
    CancelRefreshRequest, CreateSourceRequest, DeleteGraphRequest, DeleteSourceRequest, FolderLocation,
    GetGraphRequest, GetNodeRequest, GetRefreshRequest, GetSourceRequest, ImportBegin, ImportGraphRequest,
    ListEdgesRequest, ListFoldersRequest, ListNodesRequest, ListRefreshesRequest, ListSourcesRequest, Node,
    PropertyLink, Refresh, RefreshPhase, RefreshSourceRequest, RefreshState, Source, UpdateSourceRequest,
    WatchRefreshRequest, import_graph_request::Piece, source::Location,
};
use weft_store::{NewRefresh, Timestamp};

use crate::support::{
    Client, GRAPH, SourceClient, World, apply, create, edge, field_of, put_node, refused, soon,
};

const NOTES: &str = "projects/p/graphs/g/sources/notes";

/// A world with a folder "notes" of the project "p", and a graph.
struct Place {
    world: World,
    folder: tempfile::TempDir,
    options: Options,
    graphs: Client,
    sources: SourceClient,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let notes = FolderOptions {
            path: folder.path().canonicalize().expect("it is there"),
            projects: vec!["p".into()],
            description: "My notes".into(),
        };
        let options =
            Options { folders: BTreeMap::from([("notes".to_owned(), notes)]), ..Options::default() };
        let world = World::new().await;
        let (mut graphs, sources) = world.with_sources(options.clone()).await;
        create(&mut graphs, "g").await;
        Self { world, folder, options, graphs, sources }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a folder can be made");
        fs::write(path, text).expect("it can be written");
    }

    async fn source(&mut self, source: Source) -> Source {
        self.sources.create_source(creation(source)).await.expect("it is good").into_inner()
    }

    async fn refresh(&mut self) -> Refresh {
        last(&mut self.sources, NOTES).await
    }

    async fn nodes(&mut self, filter: &str) -> Vec<Node> {
        let request =
            ListNodesRequest { graph: GRAPH.into(), filter: filter.into(), ..ListNodesRequest::default() };
        self.graphs.list_nodes(request).await.expect("it is good").into_inner().nodes
    }

    async fn keys(&mut self, filter: &str) -> Vec<String> {
        let mut keys: Vec<_> = self.nodes(filter).await.into_iter().map(|node| node.key).collect();
        keys.sort();
        keys
    }

    async fn revision(&mut self) -> i64 {
        let request = GetGraphRequest { name: GRAPH.into() };
        self.graphs.get_graph(request).await.expect("it is there").into_inner().revision
    }
}

fn creation(source: Source) -> CreateSourceRequest {
    CreateSourceRequest {
        parent: GRAPH.into(),
        source_id: "notes".into(),
        source: Some(source),
        ..CreateSourceRequest::default()
    }
}

fn notes() -> Source {
    in_folder(FolderLocation::default())
}

fn in_folder(location: FolderLocation) -> Source {
    let folder = FolderLocation { folder: "projects/p/folders/notes".into(), ..location };
    Source { location: Some(Location::Folder(folder)), ..Source::default() }
}

/// Refreshes a source, and gives the last state that is told.
async fn last(sources: &mut SourceClient, name: &str) -> Refresh {
    let request = RefreshSourceRequest { name: name.into() };
    let begun = sources.refresh_source(request).await.expect("none runs").into_inner();
    assert_eq!(begun.state(), RefreshState::Running);
    let request = WatchRefreshRequest { name: begun.name };
    let mut states = sources.watch_refresh(request).await.expect("it is there").into_inner();
    let mut last = None;
    while let Some(state) = soon(states.message()).await.expect("the stream does not break") {
        last = Some(state);
    }
    last.expect("its beginning is told at least")
}

fn reason(refresh: &Refresh) -> String {
    let status = refresh.error.clone().expect("it failed");
    let info = status.details.iter().find(|detail| detail.type_url.ends_with("google.rpc.ErrorInfo"));
    let info: tonic_types::pb::ErrorInfo =
        prost::Message::decode(&*info.expect("it has a reason").value).expect("it can be read");
    info.reason
}

#[tokio::test]
async fn a_folder_becomes_a_part_of_the_graph_and_stays_true() {
    let mut place = Place::new().await;
    place
        .write("Engine.md", "---\nauthor: [Ada, Charles]\nconfidence: 0.9\n---\nSee [[Notes/G]]. #machine\n");
    place.write("Notes/G.md", "---\nauthor: Ada\nconfidence: 0.4\n---\nBernoulli numbers.\n");
    place.write("Notes/picture.png", "no graph");
    place.write(".obsidian/Hidden.md", "nobody sees this");
    apply(&mut place.graphs, vec![edge("mine", "yours")]).await;
    let author = PropertyLink {
        property: "author".into(),
        node_type: "creator".into(),
        edge_type: "written by".into(),
    };
    let source = place.source(Source { property_links: vec![author], ..notes() }).await;
    assert_eq!((source.name.as_str(), source.last_refresh), (NOTES, None));

    let done = place.refresh().await;
    assert_eq!(done.state(), RefreshState::Succeeded, "{done:?}");
    let result = done.result.expect("it did something");
    assert_eq!((result.created_node_count, result.created_edge_count), (4, 4));
    assert_eq!(result.revision, place.revision().await);
    let progress = done.progress.expect("it is told");
    assert_eq!((progress.phase(), progress.read_file_count), (RefreshPhase::Writing, 2));

    // Knowledge files, who made them, and how sure one may be of them.
    assert_eq!(place.keys("type = creator").await, ["Ada", "Charles"]);
    assert_eq!(place.keys("properties.confidence > 0.5").await, ["Engine"]);
    assert_eq!(place.keys("origin = notes").await, ["Ada", "Charles", "Engine", "Notes/G"]);
    assert_eq!(place.keys("origin = \"\"").await, ["mine", "yours"]);
    let request = ListEdgesRequest {
        graph: GRAPH.into(),
        filter: "type = \"written by\" AND target = Ada".into(),
        ..ListEdgesRequest::default()
    };
    let edges = place.graphs.list_edges(request).await.expect("it is good").into_inner().edges;
    assert_eq!(edges.len(), 2);
    assert!(edges.iter().all(|edge| edge.origin == "notes"));

    // Nothing changed: no revision.
    let revision = place.revision().await;
    let again = place.refresh().await;
    assert_eq!(again.result.expect("it succeeded").revision, revision);
    assert_eq!(place.revision().await, revision);

    // One page changes, one goes, and with it the link and who made only that.
    place.write("Notes/G.md", "---\nconfidence: 0.7\n---\nCorrected.\n");
    fs::remove_file(place.folder.path().join("Engine.md")).expect("it is there");
    let result = place.refresh().await.result.expect("it succeeded");
    assert_eq!(result.revision, revision + 1);
    assert_eq!((result.updated_node_count, result.deleted_node_count), (1, 3));
    assert_eq!(place.keys("").await, ["Notes/G", "mine", "yours"]);
}

#[tokio::test]
async fn a_refresh_takes_back_what_was_changed_and_keeps_what_others_made() {
    let mut place = Place::new().await;
    place.write("A.md", "text [[B]]");
    place.write("B.md", "text");
    place.source(notes()).await;
    place.refresh().await;
    // Nobody can say where something came from but the source.
    let forged = Node { key: "mine".into(), origin: "notes".into(), ..Node::default() };
    let edited = Node { key: "A".into(), r#type: "edited".into(), ..Node::default() };
    apply(&mut place.graphs, vec![put_node(forged), put_node(edited), edge("mine", "B")]).await;
    assert_eq!(place.keys("origin = notes").await, ["A", "B"]);

    let result = place.refresh().await.result.expect("it succeeded");
    assert_eq!((result.updated_node_count, result.deleted_node_count, result.deleted_edge_count), (1, 0, 0));
    assert_eq!(place.keys("type = page").await, ["A", "B"]);
    assert_eq!(place.nodes("key = mine").await[0].origin, "");

    // A page that goes while another one still points to it becomes a gap, and is no page any more.
    fs::remove_file(place.folder.path().join("B.md")).expect("it is there");
    place.refresh().await;
    let b = &place.nodes("key = B").await[0];
    let properties = b.properties.as_ref().expect("it has some");
    assert!(properties.fields.contains_key("missing"), "{b:?}");
    assert!(!properties.fields.contains_key("text"), "{b:?}");
}

#[tokio::test]
async fn origins_survive_the_process() {
    let mut place = Place::new().await;
    place.write("A.md", "text [[B]]");
    place.source(notes()).await;
    place.refresh().await;
    let eager = Options { checkpoint_bytes: 1, ..place.options.clone() };
    let (mut graphs, mut sources) = place.world.with_sources(eager.clone()).await;
    // The first reads the journal and writes a checkpoint, the second reads that.
    apply(&mut graphs, vec![edge("mine", "A")]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (mut graphs, _) = place.world.with_sources(eager).await;
    let request = GetNodeRequest { graph: GRAPH.into(), key: "A".into() };
    assert_eq!(graphs.get_node(request).await.expect("it is there").into_inner().origin, "notes");
    let result = last(&mut sources, NOTES).await.result.expect("it succeeded");
    assert_eq!(result.updated_node_count + result.deleted_node_count, 0);
}

#[tokio::test]
async fn sources_do_not_touch_each_other_and_leave_on_demand() {
    let mut place = Place::new().await;
    place.write("a/A.md", "[[Both]]");
    place.write("b/B.md", "[[Both]]");
    for id in ["a", "b"] {
        let source = in_folder(FolderLocation { path: id.into(), ..FolderLocation::default() });
        let request = CreateSourceRequest { source_id: id.into(), ..creation(source) };
        place.sources.create_source(request).await.expect("it is good");
        last(&mut place.sources, &format!("{GRAPH}/sources/{id}")).await;
    }
    assert_eq!(place.keys("").await, ["A", "B", "Both"]);
    let name = format!("{GRAPH}/sources/a");
    let keep = DeleteSourceRequest { name: name.clone(), ..DeleteSourceRequest::default() };
    place.sources.delete_source(keep.clone()).await.expect("it is there");
    assert_eq!(place.keys("").await, ["A", "B", "Both"]);
    refused(place.sources.delete_source(keep).await, Code::NotFound, "SOURCE_NOT_FOUND");

    let all = DeleteSourceRequest {
        name: format!("{GRAPH}/sources/b"),
        delete_content: true,
        ..DeleteSourceRequest::default()
    };
    place.sources.delete_source(all).await.expect("it is there");
    assert_eq!(place.keys("").await, ["A", "Both"], "what the other one brought in stays");
    let list = ListSourcesRequest { parent: GRAPH.into(), ..ListSourcesRequest::default() };
    assert!(place.sources.list_sources(list).await.expect("it is good").into_inner().sources.is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_outside_of_the_folder_is_read() {
    let mut place = Place::new().await;
    let outside = tempfile::tempdir().expect("a folder can be made");
    fs::write(outside.path().join("secret.md"), "secret").expect("it can be written");
    place.write("A.md", "text");
    place.source(notes()).await;
    let link = |to: &Path, name: &str| {
        std::os::unix::fs::symlink(to, place.folder.path().join(name)).expect("a link can be made");
    };
    // Inside, and to nothing: harmless.
    link(Path::new("A.md"), "B.md");
    link(Path::new("nowhere.md"), "C.md");
    let done = last(&mut place.sources, NOTES).await;
    assert_eq!(done.state(), RefreshState::Succeeded, "{done:?}");
    for (target, name) in [
        (outside.path().join("secret.md"), "D.md"),
        (outside.path().to_owned(), "folder"),
        (Path::new("../../../../../../etc/hostname").to_owned(), "E.md"),
    ] {
        std::os::unix::fs::symlink(target, place.folder.path().join(name)).expect("a link can be made");
        let failed = place.refresh().await;
        assert_eq!(failed.state(), RefreshState::Failed);
        assert_eq!(reason(&failed), "FILE_UNREADABLE");
        let message = failed.error.expect("it failed").message;
        assert!(message.contains("leads out of the folder") && message.contains(name), "{message}");
        assert!(!message.contains("/tmp"), "no path of the machine is told: {message}");
        fs::remove_file(place.folder.path().join(name)).expect("it is there");
    }
    assert_eq!(place.keys("").await, ["A", "B"], "nothing was applied");
}

#[tokio::test]
async fn a_folder_that_went_away_deletes_nothing() {
    let mut place = Place::new().await;
    place.write("in/A.md", "text");
    let location = FolderLocation { path: "in".into(), ..FolderLocation::default() };
    place.source(in_folder(location)).await;
    place.refresh().await;
    fs::remove_file(place.folder.path().join("in/A.md")).expect("it is there");
    assert_eq!(reason(&place.refresh().await), "FOLDER_EMPTY");
    fs::remove_dir(place.folder.path().join("in")).expect("it is empty");
    let gone = place.refresh().await;
    assert_eq!(reason(&gone), "FOLDER_UNAVAILABLE");
    let message = gone.error.expect("it failed").message;
    assert!(message.ends_with("cannot be opened: \"in\" in it is not there"), "{message}");
    assert_eq!(place.keys("").await, ["A"]);

    let list = ListRefreshesRequest { parent: NOTES.into(), page_size: 2, ..ListRefreshesRequest::default() };
    let first = place.sources.list_refreshes(list.clone()).await.expect("it is good").into_inner();
    let states: Vec<_> = first.refreshes.iter().map(Refresh::state).collect();
    assert_eq!(states, [RefreshState::Failed, RefreshState::Failed]);
    let rest = ListRefreshesRequest { page_token: first.next_page_token, ..list };
    let rest = place.sources.list_refreshes(rest).await.expect("it is good").into_inner();
    assert_eq!(rest.refreshes.len(), 1);
    assert_eq!((rest.refreshes[0].state(), rest.next_page_token.as_str()), (RefreshState::Succeeded, ""));
    assert!(rest.refreshes[0].end_time.is_some());
    let get = GetRefreshRequest { name: rest.refreshes[0].name.clone() };
    assert_eq!(place.sources.get_refresh(get).await.expect("it is kept").into_inner(), rest.refreshes[0]);
    let source = place.sources.get_source(GetSourceRequest { name: NOTES.into() }).await;
    assert_eq!(source.expect("it is there").into_inner().last_refresh.as_ref(), first.refreshes.first());
}

#[tokio::test]
async fn only_what_is_asked_for_is_read() {
    let mut place = Place::new().await;
    for path in ["a/A.md", "a/deep/B.md", "draft/C.md", "D.csv"] {
        place.write(path, "source,target\nx,y\n");
    }
    place
        .source(in_folder(FolderLocation {
            include: vec!["**/*.md".into()],
            exclude: vec!["draft".into(), "a/*/B.md".into()],
            ..FolderLocation::default()
        }))
        .await;
    let done = place.refresh().await;
    assert_eq!(done.progress.expect("it is told").found_file_count, 1);
    assert_eq!(place.keys("").await, ["a/A"]);
}

#[tokio::test]
async fn one_refresh_runs_at_a_time_and_can_be_ended() {
    let mut place = Place::new().await;
    let busy = Options { max_imports: 1, ..place.options.clone() };
    let (mut graphs, mut sources) = place.world.with_sources(busy).await;
    place.write("A.md", "text");
    place.source(notes()).await;
    // An import that does not end holds the only turn.
    let (send, messages) = tokio::sync::mpsc::channel(1);
    let begin = ImportBegin { graph: GRAPH.into(), ..ImportBegin::default() };
    send.send(ImportGraphRequest { piece: Some(Piece::Begin(begin)) }).await.expect("it is read");
    let import = graphs.import_graph(tokio_stream::wrappers::ReceiverStream::new(messages)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;

    let request = RefreshSourceRequest { name: NOTES.into() };
    let first = sources.refresh_source(request.clone()).await.expect("none runs").into_inner();
    assert_eq!(first.state(), RefreshState::Running);
    let status =
        refused(sources.refresh_source(request.clone()).await, Code::FailedPrecondition, "REFRESH_RUNNING");
    assert!(status.message().contains(&first.name));
    let delete = DeleteSourceRequest { name: NOTES.into(), ..DeleteSourceRequest::default() };
    refused(sources.delete_source(delete).await, Code::FailedPrecondition, "REFRESH_RUNNING");

    // Somebody in another process watches it and ends it.
    let watch = WatchRefreshRequest { name: first.name.clone() };
    let mut states = place.sources.watch_refresh(watch).await.expect("it is there").into_inner();
    let state = soon(states.message()).await.expect("it is told").expect("it is told");
    assert_eq!(state.state(), RefreshState::Running);
    let cancel = CancelRefreshRequest { name: first.name.clone() };
    let asked = place.sources.cancel_refresh(cancel.clone()).await.expect("it is there").into_inner();
    assert_eq!(asked.state(), RefreshState::Running);
    let mut ended = state;
    while let Some(state) = soon(states.message()).await.expect("the stream does not break") {
        ended = state;
    }
    assert_eq!(ended.state(), RefreshState::Cancelled);
    assert_eq!(place.keys("").await, Vec::<String>::new());
    // Once more is harmless.
    assert_eq!(place.sources.cancel_refresh(cancel).await.expect("it is there").into_inner(), ended);
    drop((send, import));
    assert_eq!(last(&mut sources, NOTES).await.state(), RefreshState::Succeeded);
}

#[tokio::test]
async fn a_refresh_whose_process_died_is_over() {
    let mut place = Place::new().await;
    place.write("A.md", "text");
    let source = place.source(notes()).await;
    let long_ago = Timestamp::from_parts(1_700_000_000, 0);
    let dead = NewRefresh {
        source_uid: source.uid.parse().expect("it is one"),
        actor: "projects/p/apiKeys/k".into(),
        at: long_ago,
        lease_until: long_ago.after(Duration::from_secs(30)),
        keep: 10,
    };
    place.world.stores.source.begin_refresh(dead).await.expect("none runs");
    let get = GetRefreshRequest { name: format!("{NOTES}/refreshes/1") };
    let refresh = place.sources.get_refresh(get).await.expect("it is there").into_inner();
    assert_eq!(refresh.state(), RefreshState::Interrupted);
    assert_eq!(refresh.end_time.expect("it is over").seconds, 1_700_000_030);
    assert_eq!(place.refresh().await.name, format!("{NOTES}/refreshes/2"));
}

#[tokio::test]
async fn sources_are_changed_by_whoever_read_them_last() {
    let mut place = Place::new().await;
    let made = place.source(notes()).await;
    let new = Source { display_name: "Notes".into(), etag: made.etag.clone(), ..made.clone() };
    let update = UpdateSourceRequest { source: Some(new), update_mask: None };
    let changed = place.sources.update_source(update.clone()).await.expect("it is the newest").into_inner();
    assert_eq!((changed.display_name.as_str(), &changed.location), ("Notes", &made.location));
    assert_ne!(changed.etag, made.etag);
    refused(place.sources.update_source(update).await, Code::Aborted, "ETAG_MISMATCH");
    let delete =
        DeleteSourceRequest { name: NOTES.into(), etag: made.etag, ..DeleteSourceRequest::default() };
    refused(place.sources.delete_source(delete).await, Code::Aborted, "ETAG_MISMATCH");

    let clear = |path: &str| UpdateSourceRequest {
        source: Some(Source { name: NOTES.into(), ..Source::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec![path.into()] }),
    };
    let cleared = place.sources.update_source(clear("display_name")).await.expect("it is good").into_inner();
    assert_eq!(cleared.display_name, "");
    let status =
        refused(place.sources.update_source(clear("uid")).await, Code::InvalidArgument, "INVALID_FIELD");
    assert_eq!(field_of(&status), "update_mask.paths[0]");
    let status =
        refused(place.sources.update_source(clear("folder")).await, Code::InvalidArgument, "INVALID_FIELD");
    assert_eq!(field_of(&status), "source.folder");
}

#[tokio::test]
async fn only_folders_of_the_project_can_be_named() {
    let mut place = Place::new().await;
    for folder in ["projects/p/folders/other", "projects/q/folders/notes"] {
        let location = FolderLocation { folder: folder.into(), ..FolderLocation::default() };
        let source = Source { location: Some(Location::Folder(location)), ..Source::default() };
        refused(place.sources.create_source(creation(source)).await, Code::NotFound, "FOLDER_NOT_FOUND");
    }
    for path in ["..", "a/../../b", "/etc", "a//b", "C:x", "a\\b"] {
        let source = in_folder(FolderLocation { path: path.into(), ..FolderLocation::default() });
        let status = refused(
            place.sources.create_source(creation(source)).await,
            Code::InvalidArgument,
            "INVALID_FIELD",
        );
        assert_eq!(field_of(&status), "source.folder.path", "{path}");
    }
    let source =
        in_folder(FolderLocation { include: vec!["a".into(), "[".into()], ..FolderLocation::default() });
    let status =
        refused(place.sources.create_source(creation(source)).await, Code::InvalidArgument, "INVALID_FIELD");
    assert_eq!(field_of(&status), "source.folder.include[1]");
    let status = refused(
        place.sources.create_source(creation(Source::default())).await,
        Code::InvalidArgument,
        "INVALID_FIELD",
    );
    assert_eq!(field_of(&status), "source.folder");

    let list = |project: &str| ListFoldersRequest { parent: project.into(), ..ListFoldersRequest::default() };
    let found =
        place.sources.list_folders(list("projects/p")).await.expect("it is good").into_inner().folders;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].name.as_str(), found[0].available), ("projects/p/folders/notes", true));
    let none = place.sources.list_folders(list("projects/q")).await.expect("it is good").into_inner().folders;
    assert!(none.is_empty(), "it is open to one project only");
}

#[tokio::test]
async fn sources_are_created_once_within_limits_and_go_with_their_graph() {
    let mut place = Place::new().await;
    let request = CreateSourceRequest {
        request_id: "7b9d4c66-8a53-4bdd-9a0c-7b3a35c1f0aa".into(),
        ..creation(notes())
    };
    let made = place.sources.create_source(request.clone()).await.expect("it is good").into_inner();
    let again = place.sources.create_source(request).await.expect("it is a repeat").into_inner();
    assert_eq!(again, made);
    let taken = place.sources.create_source(creation(notes())).await;
    refused(taken, Code::AlreadyExists, "SOURCE_ALREADY_EXISTS");
    let (_, mut small) =
        place.world.with_sources(Options { max_sources_per_graph: 1, ..place.options.clone() }).await;
    let other = CreateSourceRequest { source_id: "other".into(), ..creation(notes()) };
    refused(small.create_source(other).await, Code::ResourceExhausted, "TOO_MANY_SOURCES");

    let delete = DeleteGraphRequest { name: GRAPH.into(), ..DeleteGraphRequest::default() };
    place.graphs.delete_graph(delete).await.expect("it is there");
    let get = GetSourceRequest { name: NOTES.into() };
    refused(place.sources.get_source(get.clone()).await, Code::NotFound, "GRAPH_NOT_FOUND");
    create(&mut place.graphs, "g").await;
    refused(place.sources.get_source(get).await, Code::NotFound, "SOURCE_NOT_FOUND");
}
