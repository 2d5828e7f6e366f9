//! Files that are made to hurt.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use weft_graph::formats::{FormatError, FormatErrorKind, ReadLimits, ReadOptions, Reader};
use weft_proto::weft::graph::v1::GraphFormat;

use crate::support::{FORMATS, Found, read_in_steps, try_read};

fn pack(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn fails(options: ReadOptions, files: &[(&str, &[u8])]) -> FormatError {
    read_in_steps(options, files, 1 << 16).1.unwrap_err()
}

fn limited(change: impl FnOnce(&mut ReadLimits)) -> ReadOptions {
    let mut options = ReadOptions::default();
    change(&mut options.limits);
    options
}

#[test]
fn paths_out_of_the_folder_are_refused() {
    for path in
        ["../a.csv", "/a.csv", "a/../../b.csv", "a\\b.csv", "C:a.csv", "a\0.csv", "", "a//b.csv", "./a.csv"]
    {
        let error = fails(ReadOptions::default(), &[(path, b"source,target\n")]);
        assert_eq!(error.kind(), FormatErrorKind::UnsafePath, "{path:?}: {error}");
    }
}

#[test]
fn paths_out_of_the_folder_are_refused_in_archives() {
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.as_old_mut().name[..9].copy_from_slice(b"../../a.md".get(..9).unwrap());
    header.set_cksum();
    let mut archive = header.as_bytes().to_vec();
    archive.extend([0; 1024]);
    let error = fails(ReadOptions::default(), &[("x.tar", &archive)]);
    assert_eq!(error.kind(), FormatErrorKind::UnsafePath, "{error}");
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let bomb = pack(&b"a\tb\n".repeat(2 << 20));
    assert!(bomb.len() < 50_000, "{} bytes", bomb.len());
    let error = fails(limited(|limits| limits.max_file_bytes = 1 << 20), &[("e.tsv.gz", &bomb)]);
    assert!(matches!(error, FormatError::TooLarge { limit, .. } if limit == 1 << 20), "{error}");
    let error = fails(limited(|limits| limits.max_total_bytes = 1 << 20), &[("e.tsv.gz", &bomb)]);
    assert!(matches!(error, FormatError::TooLarge { limit, .. } if limit == 1 << 20), "{error}");
}

#[test]
fn a_bomb_in_an_archive_in_a_bomb_stops_at_the_limit() {
    let inner = pack(&vec![b'#'; 8 << 20]);
    let mut builder = tar::Builder::new(Vec::new());
    for name in ["a.tsv.gz", "b.tsv.gz"] {
        let mut header = tar::Header::new_gnu();
        header.set_size(inner.len() as u64);
        builder.append_data(&mut header, name, inner.as_slice()).unwrap();
    }
    let outer = pack(&builder.into_inner().unwrap());
    let options = limited(|limits| {
        limits.max_record_bytes = 16 << 20;
        limits.max_total_bytes = 12 << 20;
    });
    let error = fails(options, &[("x.tgz", &outer)]);
    assert!(error.to_string().starts_with("b.tsv.gz"), "the first is within the limit: {error}");
    assert_eq!(error.kind(), FormatErrorKind::TooLarge);
}

#[test]
fn too_many_files_are_refused() {
    let files: Vec<(&str, &[u8])> = vec![("e.tsv", b"a\tb"); 4];
    let error = fails(limited(|limits| limits.max_files = 3), &files);
    assert_eq!(error.kind(), FormatErrorKind::TooLarge, "{error}");
}

#[test]
fn an_endless_record_is_refused_in_every_format() {
    let long = "x".repeat(100_000);
    let files: [(GraphFormat, String); 9] = [
        (GraphFormat::EdgeList, long.clone()),
        (GraphFormat::Csv, long.clone()),
        (GraphFormat::Csv, format!("id,a\n1,\"{long}")),
        (GraphFormat::Graphml, format!("<graphml a=\"{long}")),
        (GraphFormat::Graphml, format!("<graphml><desc>{long}")),
        (GraphFormat::Gexf, format!("<gexf><!-- {long}")),
        (GraphFormat::JsonGraph, format!("{{\"nodes\":[{{\"id\":\"{long}")),
        (GraphFormat::JsonGraph, format!("{{\"x\":\"{long}")),
        (GraphFormat::JsonGraph, format!("{{\"nodes\":[{{\"id\":[{}", "1,".repeat(50_000))),
    ];
    for (format, text) in files {
        let mut options = limited(|limits| limits.max_record_bytes = 10_000);
        options.format = Some(format);
        for step in [1000, 1 << 20] {
            let (_, done) = read_in_steps(options.clone(), &[("f", text.as_bytes())], step);
            let error = done.unwrap_err();
            assert_eq!(error.kind(), FormatErrorKind::TooLarge, "{format:?}: {error}");
        }
    }
    for format in [GraphFormat::Markdown, GraphFormat::Logseq] {
        let mut options = limited(|limits| limits.max_page_bytes = 10_000);
        options.format = Some(format);
        assert_eq!(fails(options, &[("f.md", long.as_bytes())]).kind(), FormatErrorKind::TooLarge);
    }
}

#[test]
fn deep_nesting_is_refused() {
    let depth = 10_000;
    let json = format!("{{\"nodes\":[{{\"id\":\"a\",\"x\":{}{}}}]}}", "[".repeat(depth), "]".repeat(depth));
    let passed_over = format!("{{\"x\":{}", "{\"a\":".repeat(depth));
    for text in [json, passed_over, "[".repeat(depth), "{\"graph\":".repeat(depth)] {
        let error = try_read(GraphFormat::JsonGraph, &[("g.json", &text)]).unwrap_err();
        assert!(matches!(error.kind(), FormatErrorKind::TooLarge | FormatErrorKind::Syntax), "{error}");
    }
    let xml = format!("<graphml>{}", "<graph><node id='a'>".repeat(depth));
    let error = try_read(GraphFormat::Graphml, &[("g.graphml", &xml)]).unwrap_err();
    assert!(error.to_string().contains("nested too deep"), "{error}");
    let property = format!("id,properties\na,\"{{\"\"x\"\":{}1{}}}\"\n", "[".repeat(60), "]".repeat(60));
    let error = try_read(GraphFormat::Csv, &[("n.csv", &property)]).unwrap_err();
    assert!(error.to_string().contains("nested deeper than 24"), "{error}");
    for text in [
        ">".repeat(100_000),
        "- ".repeat(100_000),
        "[".repeat(100_000),
        "![[".repeat(50_000),
        "*_".repeat(50_000),
    ] {
        let page = format!("---\na: {}\n---\n{text}", "[".repeat(10_000));
        try_read(GraphFormat::Markdown, &[("a.md", &page)]).unwrap();
        try_read(GraphFormat::Logseq, &[("pages/a.md", &text)]).unwrap();
    }
}

#[test]
fn what_is_slow_to_look_at_is_not_slow_to_read() {
    let count = 200_000;
    let begun = std::time::Instant::now();
    let tags = (0..count).map(|at| format!(" #t{at}")).collect::<Vec<_>>().concat();
    let links = "[[a]]".repeat(count);
    let blocks = "((".repeat(count);
    for text in [&tags, &links, &blocks] {
        try_read(GraphFormat::Logseq, &[("pages/a.md", text)]).unwrap();
    }
    let folders: Vec<String> = (0..2000).map(|at| format!("f{at}/README.md")).collect();
    let mut pages: Vec<(&str, &str)> = folders.iter().map(|path| (path.as_str(), "")).collect();
    let many = "[[README]] ".repeat(20_000);
    pages.push(("start.md", &many));
    assert_eq!(try_read(GraphFormat::Markdown, &pages).unwrap().edges.len(), 1);
    let types = (0..count).map(|at| format!("1\t2\t1\tt{at}\n")).collect::<Vec<_>>().concat();
    assert_eq!(try_read(GraphFormat::EdgeList, &[("e.tsv", &types)]).unwrap().edges.len(), count);
    let attributes = (0..count / 10).map(|at| format!(" a{at}=''")).collect::<Vec<_>>().concat();
    let error = try_read(GraphFormat::Gexf, &[("g.gexf", &format!("<gexf{attributes}/>"))]).unwrap_err();
    assert!(error.to_string().contains("too many attributes"), "{error}");
    // Each of these was quadratic once, and took minutes.
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn billions_of_laughs_are_not_heard() {
    let mut text = "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY lol \"lol\">".to_owned();
    for at in 1..10 {
        let before = if at == 1 { "lol".to_owned() } else { format!("lol{}", at - 1) };
        writeln!(text, "<!ENTITY lol{at} \"{}\">", format!("&{before};").repeat(10)).unwrap();
    }
    text.push_str("]><graphml><desc>&lol9;</desc></graphml>");
    let error = try_read(GraphFormat::Graphml, &[("g.graphml", &text)]).unwrap_err();
    assert_eq!(error.kind(), FormatErrorKind::Unsupported, "{error}");
}

#[test]
fn defaults_of_attributes_are_no_amplifier() {
    let key = format!("<key id='a' for='node' attr.name='a'><default>{}</default></key>", "x".repeat(2000));
    let text = format!("<graphml>{key}<graph>{}</graph></graphml>", "<node id='n'/>".repeat(10));
    let error = try_read(GraphFormat::Graphml, &[("g.graphml", &text)]).unwrap_err();
    assert_eq!(error.kind(), FormatErrorKind::TooLarge, "{error}");
}

#[test]
fn other_encodings_are_named_with_their_place() {
    for format in FORMATS {
        let text = "a\tb\nid,label\n<graphml>{\"";
        let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [b"\xff\xfe".as_slice(), &utf_16].concat();
        let latin_1 = b"\n\n\n\n\n \n\xefve,1\n".to_vec();
        for (content, byte) in [(utf_16, 1), (marked, 0), (latin_1, 7)] {
            let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
            let error = fails(options, &[("pages/x.md", &content)]);
            let FormatError::Encoding { at, .. } = &error else { panic!("{format:?}: {error}") };
            // A marked file is wrong at its first byte, or at the NUL after its first character.
            assert!(at.byte == Some(byte) || (byte == 0 && at.byte == Some(3)), "{format:?}: {error}");
        }
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let found = try_read(GraphFormat::Csv, &[("n.csv", "\u{feff}id\na\n")]).unwrap();
    assert_eq!(found.keys(), ["a"]);
    let found =
        try_read(GraphFormat::JsonGraph, &[("n.json", "\u{feff}{\"nodes\":[{\"id\":\"a\"}]}")]).unwrap();
    assert_eq!(found.keys(), ["a"]);
}

#[test]
fn the_same_key_twice_comes_twice_and_in_order() {
    let found = try_read(GraphFormat::Csv, &[("n.csv", "id,type\na,first\na,second\n")]).unwrap();
    assert_eq!((found.nodes[0].r#type.as_str(), found.nodes[1].r#type.as_str()), ("first", "second"));
    let found =
        try_read(GraphFormat::JsonGraph, &[("n.json", "{\"nodes\":{\"a\":{},\"a\":{\"label\":\"x\"}}}")]);
    assert_eq!(found.unwrap().nodes[1].display_name, "x");
}

#[test]
fn sizes_that_were_announced_are_kept() {
    for (announced, kind) in [(4, FormatErrorKind::Truncated), (2, FormatErrorKind::Syntax)] {
        let mut found = Found::default();
        let mut reader = Reader::new(ReadOptions::default());
        reader.begin_file("e.tsv", Some(announced), &mut found).unwrap();
        let done = reader.data(b"a\tb", &mut found).and_then(|()| reader.finish(&mut found));
        assert_eq!(done.unwrap_err().kind(), kind);
    }
}

#[test]
fn after_an_error_the_reader_stays_wrong() {
    let mut found = Found::default();
    let mut reader = Reader::new(ReadOptions::default());
    let error = reader.data(b"x", &mut found).unwrap_err();
    assert_eq!(reader.begin_file("e.tsv", None, &mut found).unwrap_err(), error);
    assert_eq!(reader.finish(&mut found).unwrap_err(), error);
}

#[test]
fn an_import_of_nothing_known_is_refused() {
    let error = fails(ReadOptions::default(), &[("a.png", b"\x89PNG"), ("b.exe", b"MZ\0")]);
    assert_eq!(error.kind(), FormatErrorKind::Unsupported, "{error}");
    assert_eq!(fails(ReadOptions::default(), &[]).kind(), FormatErrorKind::Unsupported);
}
