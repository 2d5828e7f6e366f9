//! Reads tables of nodes and edges.

use csv_core::ReadRecordResult;
use prost_types::{Struct, Value};
use weft_proto::weft::graph::v1::{Edge, Node};

use super::super::format_reader::FormatReader;
use super::super::out::Out;
use super::super::value::{self, TooDeep};
use super::super::{FormatError, path};
use super::columns::{Column, Header, MAX_COLUMNS, Typing, delimiter_of};
use super::labels;

/// Reads the tables of one import, one after another.
#[derive(Default)]
pub(in super::super) struct CsvReader {
    /// The first line, until it is whole.
    head: String,
    table: Option<Table>,
    undirected: bool,
}

/// The table that is being read.
struct Table {
    core: csv_core::Reader,
    /// The cells of the row that is being read, one after another, and where each ends.
    cells: Vec<u8>,
    ends: Vec<usize>,
    filled: usize,
    ended: usize,
    /// Whether a row has begun, and at which line.
    begun: bool,
    line: u64,
    /// Whether the row before ended in a carriage return, whose line feed is not yet counted.
    half_ended: bool,
    header: Option<Header>,
}

impl FormatReader for CsvReader {
    fn begin(&mut self, _: &mut Out<'_>) -> Result<(), FormatError> {
        self.head.clear();
        self.table = None;
        self.undirected = false;
        Ok(())
    }

    fn text(&mut self, text: &str, out: &mut Out<'_>) -> Result<(), FormatError> {
        if self.table.is_some() {
            return self.rows(text.as_bytes(), out);
        }
        self.head.push_str(text);
        let Some(end) = self.head.find(['\n', '\r']) else {
            let max = out.limits().max_record_bytes;
            if self.head.len() > max {
                return Err(out.too_large(1, "the header has too many bytes", max));
            }
            return Ok(());
        };
        let head = std::mem::take(&mut self.head);
        self.table = Some(Table::new(delimiter_of(&head[..end])));
        self.rows(head.as_bytes(), out)
    }

    fn end(&mut self, out: &mut Out<'_>) -> Result<(), FormatError> {
        if self.table.is_none() {
            let head = std::mem::take(&mut self.head);
            self.table = Some(Table::new(delimiter_of(&head)));
            if !head.is_empty() {
                self.rows(head.as_bytes(), out)?;
            }
        }
        if self.table.as_ref().is_some_and(|table| table.begun) {
            // A line end completes the last row, unless it is inside quotes.
            self.last_row(out)?;
        }
        match self.table.take() {
            Some(Table { header: None, .. }) => {
                Err(out.truncated(0, "the table is empty; a header is needed"))
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self, _: &mut Out<'_>) -> Result<(), FormatError> {
        Ok(())
    }
}

impl CsvReader {
    fn rows(&mut self, mut bytes: &[u8], out: &mut Out<'_>) -> Result<(), FormatError> {
        let Some(table) = &mut self.table else { return Ok(()) };
        while !bytes.is_empty() {
            if table.read(&mut bytes, out)? {
                table.row(false, &mut self.undirected, out)?;
            }
        }
        Ok(())
    }

    fn last_row(&mut self, out: &mut Out<'_>) -> Result<(), FormatError> {
        let Some(table) = &mut self.table else { return Ok(()) };
        if !table.read(&mut b"\n".as_slice(), out)? {
            return Err(out.truncated(table.line, "the file ends inside quotes"));
        }
        table.row(true, &mut self.undirected, out)
    }
}

impl Table {
    fn new(delimiter: u8) -> Self {
        Self {
            core: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            cells: vec![0; 1024],
            ends: vec![0; 16],
            filled: 0,
            ended: 0,
            begun: false,
            line: 1,
            half_ended: false,
            header: None,
        }
    }

    /// Reads up to the end of a row and tells whether it was reached.
    fn read(&mut self, bytes: &mut &[u8], out: &Out<'_>) -> Result<bool, FormatError> {
        let max = out.limits().max_record_bytes;
        if !self.begun {
            self.line = self.core.line() + u64::from(self.half_ended);
        }
        loop {
            let (result, read, filled, ended) =
                self.core.read_record(bytes, &mut self.cells[self.filled..], &mut self.ends[self.ended..]);
            let (now, rest) = bytes.split_at(read);
            *bytes = rest;
            self.filled += filled;
            self.ended += ended;
            match result {
                ReadRecordResult::Record => {
                    self.begun = false;
                    self.half_ended = now.last() == Some(&b'\r');
                    return Ok(true);
                }
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {
                    self.begun |= now.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
                    return Ok(false);
                }
                ReadRecordResult::OutputFull if self.cells.len() >= max => {
                    return Err(out.too_large(self.line, "the row has too many bytes", max));
                }
                ReadRecordResult::OutputFull => self.cells.resize((self.cells.len() * 2).min(max.max(1)), 0),
                ReadRecordResult::OutputEndsFull if self.ends.len() >= MAX_COLUMNS => {
                    return Err(out.too_large(self.line, "the row has too many columns", MAX_COLUMNS));
                }
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
            }
            self.begun = true;
        }
    }

    /// Takes the row that was read.
    fn row(&mut self, last: bool, undirected: &mut bool, out: &mut Out<'_>) -> Result<(), FormatError> {
        let line = self.line;
        let text = std::str::from_utf8(&self.cells[..self.filled])
            .map_err(|_| out.syntax(line, "a quote parts the bytes of a character"))?;
        let ends = &self.ends[..self.ended];
        let mut begin = 0;
        let cells =
            ends.iter().map(|end| text.get(std::mem::replace(&mut begin, *end)..*end).unwrap_or_default());
        (self.filled, self.ended) = (0, 0);
        let Some(header) = &self.header else {
            let named_nodes = path::file_name(out.path).to_lowercase().contains("node");
            let cells: Vec<&str> = cells.collect();
            let header = Header::parse(&cells, named_nodes).map_err(|problem| out.syntax(line, problem))?;
            self.header = Some(header);
            return Ok(());
        };
        if ends.len() != header.columns.len() {
            let problem = format!("{} columns; the header has {}", ends.len(), header.columns.len());
            let cut = last && ends.len() < header.columns.len();
            return Err(if cut { out.truncated(line, problem) } else { out.syntax(line, problem) });
        }
        if header.is_nodes {
            out.node(node(header, cells, line, out)?, line)
        } else {
            let edge = edge(header, cells, line, undirected, out)?;
            out.edge(edge, line)
        }
    }
}

fn node<'a>(
    header: &Header,
    cells: impl Iterator<Item = &'a str>,
    line: u64,
    out: &Out<'_>,
) -> Result<Node, FormatError> {
    let mut node = Node::default();
    for (column, cell) in header.columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
        match column {
            Column::Key => cell.clone_into(&mut node.key),
            Column::Type => cell.clone_into(&mut node.r#type),
            Column::Name => cell.clone_into(&mut node.display_name),
            Column::Labels => node.labels = labels::split(cell),
            other => set_property(node.properties.get_or_insert_default(), other, cell, line, out)?,
        }
    }
    Ok(node)
}

fn edge<'a>(
    header: &Header,
    cells: impl Iterator<Item = &'a str>,
    line: u64,
    undirected: &mut bool,
    out: &mut Out<'_>,
) -> Result<Edge, FormatError> {
    let mut edge = Edge::default();
    for (column, cell) in header.columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
        match column {
            Column::Key => cell.clone_into(&mut edge.key),
            Column::Source => cell.clone_into(&mut edge.source),
            Column::Target => cell.clone_into(&mut edge.target),
            Column::Type if header.gephi && cell == "Directed" => {}
            Column::Type if header.gephi && cell == "Undirected" => {
                if !std::mem::replace(undirected, true) {
                    out.warn(line, "undirected edges are kept as edges from source to target");
                }
            }
            Column::Type => cell.clone_into(&mut edge.r#type),
            Column::Weight => {
                let weight = cell.trim().parse();
                edge.weight =
                    Some(weight.map_err(|_| out.syntax(line, format!("weight {cell:?} is not a number")))?);
            }
            other => set_property(edge.properties.get_or_insert_default(), other, cell, line, out)?,
        }
    }
    Ok(edge)
}

fn set_property(
    properties: &mut Struct,
    column: &Column,
    cell: &str,
    line: u64,
    out: &Out<'_>,
) -> Result<(), FormatError> {
    match column {
        Column::Property(name, typing) => {
            properties.fields.insert(name.clone(), typed(cell, *typing, name, line, out)?);
        }
        Column::Properties => {
            let members = serde_json::from_str(cell)
                .map_err(|error| out.syntax(line, format!("`properties` is not a JSON object: {error}")))?;
            let members = value::struct_from_json(members);
            properties.fields.extend(members.map_err(|_| out.syntax(line, TooDeep::problem()))?.fields);
        }
        _ => {}
    }
    Ok(())
}

fn typed(cell: &str, typing: Typing, name: &str, line: u64, out: &Out<'_>) -> Result<Value, FormatError> {
    let wrong = |what: &str| out.syntax(line, format!("column {name:?} holds {cell:?}, which is not {what}"));
    match typing {
        Typing::Inferred => Ok(value::infer(cell)),
        Typing::Text => Ok(value::string(cell)),
        Typing::Number => Ok(value::number(cell.trim().parse().map_err(|_| wrong("a number"))?)),
        Typing::Truth => match cell.trim().to_lowercase().as_str() {
            "true" | "1" => Ok(value::boolean(true)),
            "false" | "0" => Ok(value::boolean(false)),
            _ => Err(wrong("true or false")),
        },
        Typing::Json => {
            let json = serde_json::from_str(cell).map_err(|_| wrong("JSON"))?;
            value::from_json(json).map_err(|_| out.syntax(line, TooDeep::problem()))
        }
    }
}
