//! Which files are asked for, and in which order?

use std::{cmp::Ordering, sync::Arc, time::Instant};

use weft_kit::{
    filter::{Filter, Found, Kind, Record, Schema},
    order::{SortKey, parse_order},
};
use weft_proto::weft::agent::v1::{
    HostRefusal, KnowledgeFile, ListKnowledgeFilesRequest, ListKnowledgeFilesResponse,
};
use weft_store::Timestamp;

use super::{View, index::Known, kind, search::Search};
use crate::agent::host::{list, refusal};

/// Fields of a file.
static FILE: Schema = Schema {
    fields: &[
        ("folder", Kind::Text),
        ("path", Kind::Text),
        ("kind", Kind::Name),
        ("title", Kind::Text),
        ("tags", Kind::Texts),
        ("creators", Kind::Texts),
        ("confidence_ratio", Kind::Number),
        ("link_count", Kind::Number),
        ("size_bytes", Kind::Number),
        ("digest", Kind::Text),
        ("problem", Kind::Text),
        ("create_time", Kind::Time),
        ("update_time", Kind::Time),
    ],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Path,
    Folder,
    Title,
    Kind,
    SizeBytes,
    CreateTime,
    UpdateTime,
}

/// Answers a question for files of this agent, unless that takes longer than `until`.
pub(super) fn list(
    view: &View,
    agent: &str,
    request: &ListKnowledgeFilesRequest,
    until: Instant,
) -> Result<ListKnowledgeFilesResponse, HostRefusal> {
    let filter = Filter::parse(&request.filter, &FILE)
        .map_err(|error| refusal::invalid("filter", &error.to_string()))?;
    let order = order(&request.order_by).map_err(|problem| refusal::invalid("order_by", &problem))?;
    let search = Search::new(&request.search);
    let mut found: Vec<(&Arc<Known>, f32)> = Vec::new();
    for known in &view.index.files {
        if Instant::now() >= until {
            return Err(refusal::failed("it takes too long: ask with fewer words or a shorter filter"));
        }
        if let Some(score) = search.score(&known.file)
            && filter.matches(&Shown(&known.file))
        {
            found.push((known, score));
        }
    }
    // They are by folder and path already; whoever asks for another order gets it, and equals stay so.
    if !order.is_empty() {
        found.sort_by(|one, other| list::compare(&order, compare, &one.0.file, &other.0.file));
    } else if !search.is_empty() {
        found.sort_by(|one, other| other.1.total_cmp(&one.1));
    }
    let match_count = i32::try_from(found.len()).unwrap_or(i32::MAX);
    let shown = |(known, _): (&Arc<Known>, f32)| KnowledgeFile {
        name: super::name(agent, &known.file.name),
        links: Vec::new(),
        ..known.file.clone()
    };
    let (knowledge_files, next_page_token) =
        list::page_of(found, shown, &request.page_token, request.page_size)?;
    Ok(ListKnowledgeFilesResponse {
        knowledge_files,
        next_page_token,
        match_count,
        scan_time: view.index.scanned.map(|(time, _)| time),
        scanning: view.is_scanning,
    })
}

fn order(text: &str) -> Result<Vec<SortKey<Field>>, String> {
    let fields = [
        ("path", Field::Path),
        ("folder", Field::Folder),
        ("title", Field::Title),
        ("kind", Field::Kind),
        ("size_bytes", Field::SizeBytes),
        ("create_time", Field::CreateTime),
        ("update_time", Field::UpdateTime),
    ];
    parse_order(text, &fields)
}

fn compare(field: Field, one: &KnowledgeFile, other: &KnowledgeFile) -> Ordering {
    let instant = |time: Option<prost_types::Timestamp>| time.map(|time| (time.seconds, time.nanos));
    match field {
        Field::Path => one.path.cmp(&other.path),
        Field::Folder => one.folder.cmp(&other.folder),
        Field::Title => one.title.to_lowercase().cmp(&other.title.to_lowercase()),
        Field::Kind => kind::word(one.kind()).cmp(kind::word(other.kind())),
        Field::SizeBytes => one.size_bytes.cmp(&other.size_bytes),
        Field::CreateTime => instant(one.create_time).cmp(&instant(other.create_time)),
        Field::UpdateTime => instant(one.update_time).cmp(&instant(other.update_time)),
    }
}

/// A file that can be filtered.
struct Shown<'a>(&'a KnowledgeFile);

impl Record for Shown<'_> {
    fn visit(&self, field: usize, _path: &[String], test: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
        let file = self.0;
        let instant = |time: Option<&prost_types::Timestamp>, test: &mut dyn FnMut(Found<'_>) -> bool| {
            time.is_some_and(|time| test(Found::Number(Timestamp::from(time).as_micros() as f64)))
        };
        match FILE.fields[field].0 {
            "folder" => test(Found::Text(&file.folder)),
            "path" => test(Found::Text(&file.path)),
            "kind" => test(Found::Text(kind::word(file.kind()))),
            "title" => test(Found::Text(&file.title)),
            "tags" => file.tags.iter().any(|tag| test(Found::Element(tag))),
            "creators" => file.creators.iter().any(|creator| test(Found::Element(creator))),
            "confidence_ratio" => file.confidence_ratio.is_some_and(|ratio| test(Found::Number(ratio))),
            "link_count" => test(Found::Number(f64::from(file.link_count))),
            "size_bytes" => test(Found::Number(file.size_bytes as f64)),
            "digest" => test(Found::Text(&file.digest)),
            "problem" => !file.problem.is_empty() && test(Found::Text(&file.problem)),
            "create_time" => instant(file.create_time.as_ref(), test),
            _ => instant(file.update_time.as_ref(), test),
        }
    }

    fn names(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        test(&self.0.title) || test(&self.0.path) || self.0.tags.iter().any(|tag| test(tag))
    }
}
