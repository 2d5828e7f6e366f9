//! Files that are cut, huge, of a wrong encoding, bombs, or that want out of their folder.

use tonic::Code;
use weft_proto::weft::graph::v1::{ImportBegin, ImportFile, ImportGraphRequest, import_graph_request::Piece};
use weft_tests::{
    graphs,
    http::gzip,
    mesh::Mesh,
    refused::{Refused, refused},
};

/// Bytes of one import, as sent and as read, in these tests.
const SENT: u64 = 200_000;
const READ: u64 = 400_000;

async fn small_mesh() -> Mesh {
    Mesh::with(|config| {
        config.graph.max_import_bytes = SENT;
        config.graph.max_import_content_bytes = READ;
        config.graph.max_import_files = 20;
        config.graph.limits.max_nodes = 1_000;
    })
    .await
}

async fn import(mesh: &Mesh, path: &str, content: &[u8]) -> Refused {
    refused(graphs::import(&mesh.client(), "projects/p/graphs/g", &[(path, content)]).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_cut_or_of_a_wrong_encoding_are_invalid() {
    let mesh = small_mesh().await;
    let client = mesh.client();
    let graph = graphs::create(&client, "g").await;
    let packed = gzip(b"a\tb\nb\tc\n");
    let mut damaged = packed.clone();
    let checksum = damaged.len() - 6;
    damaged[checksum] ^= 1;
    let files: [(&str, &[u8]); 16] = [
        ("g.graphml", b"<graphml><graph edgedefault=\"directed\"><node id=\"a\"/>"),
        ("g.graphml", b"<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><graphml><graph><node id=\"&b;\"/></graph></graphml>"),
        ("g.graphml", b"<html></html>"),
        ("g.gexf", b"<gexf><graph><nodes><node id=\"a\"></nodes></gexf>"),
        ("g.json", b"{\"graph\":{\"nodes\":{\"a\":{}}"),
        ("g.json", b"{\"graph\":{\"nodes\":{\"a\":{\"metadata\":{\"x\":\"\\ud800\"}}}}}"),
        ("g.json", b"\xff\xfe{\0}\0"),
        ("edges.tsv", b"a\tb\nonly-one\n"),
        ("edges.tsv", b"%%MatrixMarket matrix coordinate real general\n2 2 1\n1 2 0.5\n"),
        ("edges.tsv", b"a\xff\tb\n"),
        ("edges.tsv", b"\xff\xfea\0\t\0b\0\n\0"),
        ("edges.csv", b"source,target\n\"a,b\n"),
        ("edges.tsv.gz", &packed[..packed.len() - 9]),
        ("edges.tsv.gz", b"a\tb\n"),
        ("edges.tsv.gz", &damaged),
        ("g.tar", &[b'x'; 700]),
    ];
    let mut taken = Vec::new();
    for (path, content) in files {
        let answer = graphs::import(&client, &graph, &[(path, content)]).await;
        let name =
            format!("{path} {:?}: {answer:?}", String::from_utf8_lossy(&content[..content.len().min(60)]));
        let Err(status) = answer else {
            taken.push(name);
            continue;
        };
        let refusal = Refused::from(status);
        assert_eq!(refusal.code, Code::InvalidArgument, "{name}");
        assert!(["FILE_INVALID", "FORMAT_UNSUPPORTED"].contains(&refusal.reason.as_str()), "{name}");
        // It says which file.
        assert!(refusal.message.contains(path), "{name}");
    }
    assert_eq!(taken, Vec::<String>::new());
    let deep = format!(
        "{{\"graph\":{{\"nodes\":{{\"a\":{{\"metadata\":{{\"x\":{}1{}}}}}}}}}}}",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    import(&mesh, "g.json", deep.as_bytes()).await.is(Code::ResourceExhausted, "IMPORT_TOO_LARGE", "");
    let elements = format!("<graphml><graph>{}", "<x>".repeat(20_000));
    import(&mesh, "g.graphml", elements.as_bytes()).await.is(Code::ResourceExhausted, "IMPORT_TOO_LARGE", "");
    assert_eq!(graphs::get(&client, &graph).await.revision, 1, "nothing of it was applied");
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_huge_or_become_so_are_refused() {
    let mesh = small_mesh().await;
    let client = mesh.client();
    let graph = graphs::create(&client, "g").await;
    let exhausted = Code::ResourceExhausted;
    import(&mesh, "edges.tsv", &vec![b'\n'; SENT as usize + 1]).await.is(exhausted, "IMPORT_TOO_LARGE", "");
    for bomb in [gzip(&vec![b'\n'; 50 << 20]), gzip(&gzip(&vec![0; 50 << 20])), gzip(&vec![b'a'; 50 << 20])] {
        let refusal = import(&mesh, "edges.tsv.gz", &bomb).await;
        assert!(matches!(refusal.code, Code::ResourceExhausted | Code::InvalidArgument), "{refusal:?}");
    }
    import(&mesh, "edges.tsv.gz", &gzip(&vec![b'\n'; 50 << 20])).await.is(exhausted, "IMPORT_TOO_LARGE", "");
    let nodes: Vec<String> = (0..600).map(|index| format!("a{index}\tb{index}\n")).collect();
    import(&mesh, "edges.tsv", nodes.concat().as_bytes()).await.is(exhausted, "TOO_MANY_NODES", "");
    let files: Vec<(String, &[u8])> = (0..21).map(|index| (format!("p{index}.md"), &b"x"[..])).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
    refused(graphs::import(&client, &graph, &files).await).is(exhausted, "IMPORT_TOO_LARGE", "");
    // One message over what the contract allows.
    let messages = vec![
        ImportGraphRequest {
            piece: Some(Piece::Begin(ImportBegin { graph: graph.clone(), ..ImportBegin::default() })),
        },
        ImportGraphRequest { piece: Some(Piece::Data(vec![b'x'; (1 << 20) + 1].into())) },
    ];
    refused(graphs::import_raw(&client, messages).await).is(Code::InvalidArgument, "INVALID_FIELD", "data");
    assert_eq!(graphs::get(&client, &graph).await.revision, 1, "nothing of it was applied");
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_out_of_the_folder_and_messages_out_of_turn_are_refused() {
    let mesh = small_mesh().await;
    let client = mesh.client();
    let graph = graphs::create(&client, "g").await;
    for path in [
        "../edges.tsv",
        "a/../../edges.tsv",
        "/etc/edges.tsv",
        "a/..",
        "..",
        "a\\..\\..\\b.tsv",
        "C:\\x.tsv",
        "a\0.tsv",
        "./../x.md",
    ] {
        let refusal = import(&mesh, path, b"a\tb\n").await;
        refusal.is(Code::InvalidArgument, "PATH_UNSAFE", "file.path");
    }
    // The same inside of an archive, which no client of ours would write.
    for path in ["../evil.md", "/etc/evil.md", "a/../../evil.md"] {
        let refusal = import(&mesh, "folder.tar", &tar(path, b"[[x]]")).await;
        refusal.is(Code::InvalidArgument, "PATH_UNSAFE", "file.path");
    }
    let message = |piece| ImportGraphRequest { piece: Some(piece) };
    let begin = || message(Piece::Begin(ImportBegin { graph: graph.clone(), ..ImportBegin::default() }));
    let file = || message(Piece::File(ImportFile { path: "edges.tsv".into(), size_bytes: 0 }));
    let data = || message(Piece::Data(b"a\tb\n".to_vec().into()));
    for (messages, reason) in [
        (vec![begin(), file(), data(), begin()], "IMPORT_ORDER"),
        (vec![begin(), ImportGraphRequest { piece: None }], "INVALID_FIELD"),
        (vec![begin(), data()], "FILE_INVALID"),
    ] {
        let refusal = refused(graphs::import_raw(&client, messages).await);
        assert_eq!((refusal.code, refusal.reason.as_str()), (Code::InvalidArgument, reason), "{refusal:?}");
    }
    // The graph's name is in `begin`: without it nobody can say who may do this.
    refused(graphs::import_raw(&client, vec![file(), data()]).await).is(
        Code::InvalidArgument,
        "INVALID_FIELD",
        "begin.graph",
    );
    refused(graphs::import_raw(&client, vec![]).await).is(
        Code::InvalidArgument,
        "INVALID_FIELD",
        "begin.graph",
    );
    assert_eq!(graphs::get(&client, &graph).await.revision, 1, "nothing of it was applied");
    mesh.stop_unhurt().await;
}

/// A tar archive (POSIX ustar) with one file, whose path no library would write.
fn tar(path: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = [&header[..], content].concat();
    archive.resize(archive.len().next_multiple_of(512) + 1_024, 0);
    archive
}
