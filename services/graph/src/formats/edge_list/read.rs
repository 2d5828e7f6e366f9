//! Reads edge lists and their nodes files.

use std::borrow::Cow;
use std::collections::HashMap;

use weft_proto::weft::graph::v1::{Edge, Node};

use super::super::format_reader::FormatReader;
use super::super::out::Out;
use super::super::text::Lines;
use super::super::{FormatError, path};
use super::{HEADER, NODE};

/// Most edges that are held back for a nodes file to come.
const MAX_HELD: usize = 4_000_000;

/// Reads the edge lists and nodes files of one import.
#[derive(Default)]
pub(in super::super) struct EdgeListReader {
    /// Keys of the nodes files, by line.
    lines: Vec<Box<str>>,
    /// How many of them are whole numbers.
    numeric: usize,
    /// Edges between numbers that came before any nodes file.
    held: Held,
    file: File,
}

/// The file that is being read.
#[derive(Default)]
struct File {
    is_nodes: bool,
    lines: Lines,
    line: u64,
    separator: Option<Separator>,
    /// Written here: columns are escaped and numbers are keys.
    escaped: bool,
    warned: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Separator {
    Tab,
    Comma,
    Space,
    /// The whole line is one column.
    None,
}

/// Edges whose numbers may turn out to be keys or lines.
#[derive(Default)]
struct Held {
    files: Vec<(String, usize)>,
    edges: Vec<HeldEdge>,
    types: Vec<String>,
    type_numbers: HashMap<String, u32>,
    /// Some end point was no number, or too many came: numbers are keys from then on.
    given_up: bool,
    /// Too many came.
    overflowed: bool,
}

struct HeldEdge {
    source: u32,
    target: u32,
    line: u32,
    kind: u32,
    weight: Option<f64>,
}

impl FormatReader for EdgeListReader {
    fn begin(&mut self, out: &mut Out<'_>) -> Result<(), FormatError> {
        let is_nodes = path::file_name(out.path).to_lowercase().contains("node");
        self.file = File { is_nodes, ..File::default() };
        if !is_nodes {
            self.held.files.push((out.path.to_owned(), self.held.edges.len()));
        }
        Ok(())
    }

    fn text(&mut self, text: &str, out: &mut Out<'_>) -> Result<(), FormatError> {
        let mut lines = std::mem::take(&mut self.file.lines);
        let max = out.limits().max_record_bytes;
        lines.push(text, max, |line| {
            self.file.line += 1;
            match line {
                Ok(line) => self.line(line, out),
                Err(_) => Err(out.too_large(self.file.line, "the line has too many bytes", max)),
            }
        })?;
        self.file.lines = lines;
        Ok(())
    }

    fn end(&mut self, out: &mut Out<'_>) -> Result<(), FormatError> {
        let Some(line) = self.file.lines.finish() else { return Ok(()) };
        self.file.line += 1;
        self.line(&line, out)
    }

    fn finish(&mut self, out: &mut Out<'_>) -> Result<(), FormatError> {
        self.release(out)
    }
}

impl EdgeListReader {
    fn line(&mut self, line: &str, out: &mut Out<'_>) -> Result<(), FormatError> {
        if let Some(b'#' | b'%') = line.as_bytes().first() {
            return self.comment(line, out);
        }
        if line.is_empty() || (!self.file.escaped && line.trim().is_empty()) {
            return Ok(());
        }
        let is_nodes = self.file.is_nodes;
        let separator = *self.file.separator.get_or_insert_with(|| separator_of(line, is_nodes));
        let mut columns: [&str; 5] = [""; 5];
        let count = match separator {
            Separator::Tab => fill(&mut columns, line.split('\t')),
            Separator::Comma => fill(&mut columns, line.split(',')),
            Separator::Space => fill(&mut columns, line.split_ascii_whitespace()),
            Separator::None => fill(&mut columns, std::iter::once(line)),
        };
        if !self.file.escaped {
            columns = columns.map(str::trim);
        }
        if is_nodes { self.node(&columns, count, out) } else { self.edge(&columns, count, out) }
    }

    fn comment(&mut self, line: &str, out: &mut Out<'_>) -> Result<(), FormatError> {
        let number = self.file.line;
        if number == 1 && line == HEADER {
            self.file.escaped = true;
            self.file.separator = Some(Separator::Tab);
        } else if number == 1 && line.starts_with("%%MatrixMarket") {
            let problem = "Matrix Market files are not read; leave out the header and the line of sizes";
            return Err(out.unsupported(number, problem));
        } else if self.file.escaped
            && let Some(node) = line.strip_prefix(NODE)
        {
            let mut columns = node.split('\t').map(|column| unescape(column).into_owned());
            let mut next = || columns.next().unwrap_or_default();
            let node = Node { key: next(), r#type: next(), display_name: next(), ..Node::default() };
            return out.node(node, number);
        }
        Ok(())
    }

    fn node(&mut self, columns: &[&str; 5], count: usize, out: &mut Out<'_>) -> Result<(), FormatError> {
        let line = self.file.line;
        let [key, kind, name, ..] = *columns;
        if count > 3 {
            self.warn_once(out, "columns after the third are left out");
        }
        if self.held.overflowed && whole_number(key).is_none() {
            let problem = "edges that may mean its lines came before the nodes file and could not be held \
                           back; send the nodes file first";
            return Err(out.unsupported(line, problem));
        }
        self.numeric += usize::from(whole_number(key).is_some());
        self.lines.push(key.into());
        let node = Node {
            key: key.to_owned(),
            r#type: kind.to_owned(),
            display_name: name.to_owned(),
            ..Node::default()
        };
        out.node(node, line)
    }

    fn edge(&mut self, columns: &[&str; 5], count: usize, out: &mut Out<'_>) -> Result<(), FormatError> {
        let line = self.file.line;
        let [source, target, third, fourth, _] = *columns;
        if count < 2 {
            return Err(out.syntax(line, "one column; an edge needs a source and a target"));
        }
        if count > 4 {
            self.warn_once(out, "columns after the fourth are left out");
        }
        let (weight, kind) = match (third, third.parse::<f64>()) {
            ("", _) => (None, fourth),
            (_, Ok(weight)) => (Some(weight), fourth),
            (_, Err(_)) if count == 3 => (None, third),
            (_, Err(_)) => return Err(out.syntax(line, format!("weight {third:?} is not a number"))),
        };
        if self.file.escaped {
            let [source, target, kind] = [source, target, kind].map(|column| unescape(column).into_owned());
            return out.edge(Edge { source, target, weight, r#type: kind, ..Edge::default() }, line);
        }
        if self.lines.is_empty() && !self.held.given_up {
            let numbers = (whole_number(source), whole_number(target), u32::try_from(line));
            self.held.overflowed = self.held.edges.len() == MAX_HELD;
            if let (Some(source), Some(target), Ok(line)) = numbers
                && !self.held.overflowed
            {
                let kind = self.held.intern(kind);
                self.held.edges.push(HeldEdge { source, target, line, kind, weight });
                return Ok(());
            }
            self.held.given_up = true;
            self.release(out)?;
        }
        let source = self.resolve(source, line, out)?.to_owned();
        let target = self.resolve(target, line, out)?.to_owned();
        out.edge(Edge { source, target, weight, r#type: kind.to_owned(), ..Edge::default() }, line)
    }

    /// The key that a column of an edge list means.
    fn resolve<'a>(&'a self, column: &'a str, line: u64, out: &Out<'_>) -> Result<&'a str, FormatError> {
        if !self.numbers_are_lines() {
            return Ok(column);
        }
        match whole_number(column) {
            None => Ok(column),
            Some(number) => self.key_of_line(number, line, out),
        }
    }

    fn numbers_are_lines(&self) -> bool {
        !self.held.given_up && self.numeric * 2 < self.lines.len()
    }

    fn key_of_line(&self, number: u32, line: u64, out: &Out<'_>) -> Result<&str, FormatError> {
        self.lines.get(number as usize).map(AsRef::as_ref).ok_or_else(|| {
            let count = self.lines.len();
            out.syntax(line, format!("{number} is no line of the nodes file; it has {count}, from 0"))
        })
    }

    /// Hands on the edges that were held back, now that it is known what their numbers mean.
    fn release(&mut self, out: &mut Out<'_>) -> Result<(), FormatError> {
        let Held { files, edges, types, type_numbers, .. } = &mut self.held;
        let (edges, types) = (std::mem::take(edges), std::mem::take(types));
        type_numbers.clear();
        let files = std::mem::take(files);
        let lines = self.numbers_are_lines();
        for (at, (path, begin)) in files.iter().enumerate() {
            let end = files.get(at + 1).map_or(edges.len(), |(_, begin)| *begin);
            let out = &mut Out { sink: &mut *out.sink, options: out.options, path };
            for edge in &edges[*begin..end] {
                let line = u64::from(edge.line);
                let key = |number: u32| {
                    if lines {
                        return self.key_of_line(number, line, out).map(str::to_owned);
                    }
                    Ok(number.to_string())
                };
                let (source, target) = (key(edge.source)?, key(edge.target)?);
                let kind = types[edge.kind as usize].clone();
                out.edge(
                    Edge { source, target, weight: edge.weight, r#type: kind, ..Edge::default() },
                    line,
                )?;
            }
        }
        // The file that is being read goes on.
        self.held.files = files.into_iter().next_back().map(|(path, _)| (path, 0)).into_iter().collect();
        Ok(())
    }

    fn warn_once(&mut self, out: &mut Out<'_>, message: &str) {
        if !std::mem::replace(&mut self.file.warned, true) {
            out.warn(self.file.line, message);
        }
    }
}

impl Held {
    fn intern(&mut self, kind: &str) -> u32 {
        if let Some(number) = self.type_numbers.get(kind) {
            return *number;
        }
        let number = self.types.len() as u32;
        self.types.push(kind.to_owned());
        self.type_numbers.insert(kind.to_owned(), number);
        number
    }
}

fn separator_of(line: &str, is_nodes: bool) -> Separator {
    if line.contains('\t') {
        Separator::Tab
    } else if line.contains(',') {
        Separator::Comma
    } else if is_nodes {
        Separator::None
    } else {
        Separator::Space
    }
}

/// Fills the columns and counts them, up to one more than there is room for.
fn fill<'a>(columns: &mut [&'a str; 5], mut parts: impl Iterator<Item = &'a str>) -> usize {
    let mut count = 0;
    for (column, part) in columns.iter_mut().zip(&mut parts) {
        *column = part;
        count += 1;
    }
    count
}

/// A whole number in its only form: no sign, no leading zeros.
fn whole_number(text: &str) -> Option<u32> {
    let bytes = text.as_bytes();
    if !bytes.first()?.is_ascii_digit() || (bytes[0] == b'0' && bytes.len() > 1) {
        return None;
    }
    text.parse().ok()
}

fn unescape(column: &str) -> Cow<'_, str> {
    if !column.contains('\\') {
        return Cow::Borrowed(column);
    }
    let mut plain = String::with_capacity(column.len());
    let mut characters = column.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('t') => plain.push('\t'),
                Some('n') => plain.push('\n'),
                Some('r') => plain.push('\r'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            other => plain.push(other),
        }
    }
    Cow::Owned(plain)
}
