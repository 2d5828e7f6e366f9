//! What is answered to whom.

use weft_proto::weft::agent::v1::{
    GetKnowledgeFileRequest, HostRefusalReason as Reason, ListKnowledgeFilesRequest, ReadKnowledgeFileRequest,
};

use super::*;
use crate::agent::knowledge::Knowledge;

const AGENT: &str = "projects/p/agents/a";

fn open(settings: FolderSettings) -> Knowledge {
    Knowledge::open(AGENT, &[settings]).expect("it is right")
}

fn asked(filter: &str, order_by: &str, search: &str) -> ListKnowledgeFilesRequest {
    ListKnowledgeFilesRequest {
        filter: filter.into(),
        order_by: order_by.into(),
        search: search.into(),
        page_size: 200,
        ..ListKnowledgeFilesRequest::default()
    }
}

#[tokio::test]
async fn files_are_filtered_searched_sorted_and_paged() {
    let place = Place::new();
    place.put("a/Engine.md", b"# Heat and power\n#motors [[x]]");
    place.put("motors.md", b"# All of them\n[[x]] [[y]]");
    place.put("z.txt", b"nothing");
    place.put("heat.csv", b"1,2");
    let knowledge = open(place.settings());
    let listed = async |request| {
        let page = knowledge.list(request).await.expect("it is right");
        let paths: Vec<_> = page.knowledge_files.iter().map(|file| file.path.clone()).collect();
        assert!(!page.scanning && page.scan_time.is_some());
        assert!(page.knowledge_files.iter().all(|file| file.links.is_empty()));
        paths.join(" ")
    };
    assert_eq!(listed(asked("", "", "")).await, "a/Engine.md heat.csv motors.md z.txt");
    assert_eq!(listed(asked("kind = markdown AND tags:motors", "", "")).await, "a/Engine.md");
    assert_eq!(listed(asked("link_count > 1 OR size_bytes = 7", "", "")).await, "motors.md z.txt");
    assert_eq!(listed(asked("heat", "path desc", "")).await, "heat.csv a/Engine.md");
    assert_eq!(
        listed(asked("update_time > \"2020-01-01T00:00:00Z\"", "size_bytes", "heat")).await,
        "heat.csv a/Engine.md"
    );
    // A tag counts more than a path.
    assert_eq!(listed(asked("", "", "motors")).await, "a/Engine.md motors.md");
    assert_eq!(listed(asked("", "", "power mot")).await, "a/Engine.md");

    let (mut token, mut seen) = (String::new(), Vec::new());
    loop {
        let request = ListKnowledgeFilesRequest { page_size: 3, page_token: token, ..asked("", "", "") };
        let page = knowledge.list(request).await.expect("it is right");
        assert_eq!(page.match_count, 4);
        seen.push(page.knowledge_files.len());
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, [3, 1]);
    for (request, field) in [(asked("colour = 1", "", ""), "filter"), (asked("", "colour", ""), "order_by")] {
        assert_eq!(knowledge.list(request).await.expect_err("it is wrong").subject, field);
    }
}

#[tokio::test]
async fn one_is_got_by_its_name_and_read_only_where_its_owner_shows_texts() {
    let place = Place::new();
    place.put("a.md", "# ä\n[[b]]".as_bytes());
    place.put("b.pdf", b"%PDF-\xff");
    let knowledge = open(FolderSettings { content: true, ..place.settings() });
    let all = knowledge.list(asked("", "", "")).await.expect("it is right").knowledge_files;
    let name = all[0].name.clone();
    assert!(name.starts_with("projects/p/agents/a/knowledgeFiles/"), "{name}");
    let got = knowledge.get(&GetKnowledgeFileRequest { name: name.clone() }).await.expect("it is there");
    assert_eq!((got.links, got.digest), (vec!["b".to_owned()], all[0].digest.clone()));
    let nobody = GetKnowledgeFileRequest { name: format!("{AGENT}/knowledgeFiles/none") };
    let refused = knowledge.get(&nobody).await.expect_err("there is none");
    assert_eq!((refused.reason(), &*refused.subject), (Reason::NotFound, &*nobody.name));

    let piece = |name: &str, offset_bytes, max_bytes| {
        knowledge.read(ReadKnowledgeFileRequest { name: name.into(), offset_bytes, max_bytes })
    };
    let whole = piece(&name, 0, 0).await.expect("it is text");
    assert_eq!((&*whole.text, whole.next_offset_bytes, whole.size_bytes), ("# ä\n[[b]]", 0, 10));
    let (mut at, mut text) = (0, String::new());
    loop {
        let piece = piece(&name, at, 1).await.expect("it is text");
        text.push_str(&piece.text);
        at = piece.next_offset_bytes;
        if at == 0 {
            break;
        }
    }
    assert_eq!(text, whole.text);
    assert_eq!(piece(&name, 11, 0).await.expect_err("it is beyond").subject, "offset_bytes");
    assert_eq!(piece(&all[1].name, 0, 0).await.expect_err("it is no text").reason(), Reason::Denied);
    fs::remove_file(place.path("a.md")).expect("it is there");
    let gone = piece(&name, 0, 0).await.expect_err("it is gone");
    assert!(matches!(gone.reason(), Reason::Denied | Reason::NotFound), "{gone:?}");

    place.put("a.md", b"# a");
    let shut = open(place.settings());
    let all = shut.list(asked("", "", "")).await.expect("it is right").knowledge_files;
    let request =
        ReadKnowledgeFileRequest { name: all[0].name.clone(), ..ReadKnowledgeFileRequest::default() };
    assert_eq!(shut.read(request).await.expect_err("it is shut").reason(), Reason::NotAllowed);
    assert!(shut.is_open() && !shut.shows_content() && knowledge.shows_content());
}

#[tokio::test]
async fn all_are_counted() {
    let place = Place::new();
    place.put("a.md", b"---\nauthor: Ada\n---\n#x #y");
    place.put("b.md", b"---\nauthor: Ada\n---\n#x");
    place.put("c.txt", b"1234");
    place.put("d.md", b"\xff");
    let counted = open(place.settings()).count().await.expect("it counts");
    assert_eq!((counted.file_count, counted.problem_count, counted.folders.len()), (4, 1, 1));
    let count = |counts: &std::collections::HashMap<String, i64>, name: &str| counts.get(name).copied();
    assert_eq!((count(&counted.kinds, "markdown"), count(&counted.kinds, "text")), (Some(3), Some(1)));
    assert_eq!((count(&counted.tags, "x"), count(&counted.tags, "y")), (Some(2), Some(1)));
    assert_eq!(count(&counted.creators, "Ada"), Some(2));
    assert!(counted.scan_time.is_some() && counted.scan_duration.is_some() && !counted.scanning);
    let none = Knowledge::open(AGENT, &[]).expect("nothing is wrong");
    assert!(!none.is_open());
}
