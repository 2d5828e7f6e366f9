//! Reads JSON graphs.

use serde_json::Value as Json;

use super::super::FormatError;
use super::super::format_reader::FormatReader;
use super::super::out::Out;
use super::element::{self, Found, Wrong};
use super::events::{Builder, Event, Events, Stop};

/// Characters that are parsed at a time, so that a long value is noticed early.
const PIECE_BYTES: usize = 32 << 10;

/// Most edges that are held back for nodes to come.
const MAX_HELD: usize = 1_000_000;

/// Reads the JSON graphs of one import, one after another.
#[derive(Default)]
pub(in super::super) struct JsonGraphReader {
    document: Option<Document>,
}

/// The document that is being read.
struct Document {
    events: Events,
    /// The objects and arrays that are open, outermost first.
    places: Vec<Place>,
    /// Name of the member whose value comes next.
    name: String,
    /// The element that is being built.
    builder: Builder,
    /// Open objects and arrays of a value that is passed over.
    passed_over: usize,
    /// Where, in bytes, the last event or element began.
    since: usize,
    /// Keys of nodes by position, where some had none of their own.
    positions: Option<Vec<Box<str>>>,
    node_count: usize,
    /// Edges whose numbers may turn out to be positions of nodes that have not come.
    held: Vec<(Found, u64)>,
    graph_count: usize,
    found: bool,
    warned_undirected: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// An object that is or may be a graph.
    Graph,
    Graphs,
    NodesByKey,
    Nodes,
    Edges,
}

impl FormatReader for JsonGraphReader {
    fn begin(&mut self, out: &mut Out<'_>) -> Result<(), FormatError> {
        self.document = Some(Document::new(out.limits().max_depth));
        Ok(())
    }

    fn text(&mut self, mut text: &str, out: &mut Out<'_>) -> Result<(), FormatError> {
        let Some(document) = &mut self.document else { return Ok(()) };
        while !text.is_empty() {
            let (piece, rest) = text.split_at(text.floor_char_boundary(PIECE_BYTES));
            text = rest;
            document.events.feed(piece);
            document.run(out)?;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Out<'_>) -> Result<(), FormatError> {
        let Some(mut document) = self.document.take() else { return Ok(()) };
        document.events.end();
        document.run(out)?;
        for (found, line) in std::mem::take(&mut document.held) {
            document.edge(found, line, out)?;
        }
        if document.found {
            return Ok(());
        }
        Err(out.syntax(0, "no `nodes` or `edges` are in it; a JSON graph has them, or has them in `graph`"))
    }

    fn finish(&mut self, _: &mut Out<'_>) -> Result<(), FormatError> {
        Ok(())
    }
}

impl Document {
    fn new(max_depth: usize) -> Self {
        Self {
            events: Events::new(max_depth),
            places: Vec::new(),
            name: String::new(),
            builder: Builder::default(),
            passed_over: 0,
            since: 0,
            positions: None,
            node_count: 0,
            held: Vec::new(),
            graph_count: 0,
            found: false,
            warned_undirected: false,
        }
    }

    fn run(&mut self, out: &mut Out<'_>) -> Result<(), FormatError> {
        loop {
            let event = self.events.next();
            let line = self.events.line();
            let max = out.limits().max_record_bytes;
            if self.events.bytes() - self.since > max {
                return Err(out.too_large(line, "a value has too many bytes", max));
            }
            match event {
                Ok(event) => self.event(event, line, out)?,
                Err(Stop::Hungry | Stop::Complete) => return Ok(()),
                Err(Stop::Cut) => return Err(out.truncated(line, "the JSON text ends before it is complete")),
                Err(Stop::Wrong(problem)) => return Err(out.syntax(line, problem)),
            }
            if !self.builder.is_open() {
                self.since = self.events.bytes();
            }
        }
    }

    fn event(&mut self, event: Event, line: u64, out: &mut Out<'_>) -> Result<(), FormatError> {
        let depth = self.places.len() + self.passed_over + self.builder.depth();
        let max = out.limits().max_depth;
        if depth >= max && matches!(event, Event::BeginObject | Event::BeginArray) {
            return Err(out.too_large(line, "values are nested too deep", max));
        }
        if self.passed_over > 0 {
            match event {
                Event::BeginObject | Event::BeginArray => self.passed_over += 1,
                Event::EndObject | Event::EndArray => self.passed_over -= 1,
                _ => {}
            }
            return Ok(());
        }
        let place = self.places.last().copied();
        let of_element = matches!(place, Some(Place::NodesByKey | Place::Nodes | Place::Edges));
        if self.builder.is_open() || (of_element && begins_value(&event)) {
            return match self.builder.take(event) {
                Some(value) => self.element(value, line, out),
                None => Ok(()),
            };
        }
        match event {
            Event::Name(name) => self.name = name,
            Event::EndObject | Event::EndArray => {
                self.places.pop();
            }
            Event::Scalar(value) => self.scalar(&value, line, out)?,
            Event::BeginObject | Event::BeginArray => self.open(&event, place, line, out)?,
        }
        Ok(())
    }

    /// An object or array begins that is not an element.
    fn open(
        &mut self,
        event: &Event,
        place: Option<Place>,
        line: u64,
        out: &mut Out<'_>,
    ) -> Result<(), FormatError> {
        let object = matches!(event, Event::BeginObject);
        let next = match (place, object) {
            (None, true) => Some(Place::Graph),
            (None, false) => {
                return Err(out.syntax(line, "the document is an array; a JSON graph is an object"));
            }
            (Some(Place::Graphs), true) => {
                self.graph_count += 1;
                if self.graph_count == 2 {
                    out.warn(line, "several graphs are read into one");
                }
                Some(Place::Graph)
            }
            (Some(Place::Graph), _) => match (self.name.as_str(), object) {
                ("graph", true) => Some(Place::Graph),
                ("graphs", false) => Some(Place::Graphs),
                ("nodes", true) => Some(Place::NodesByKey),
                ("nodes", false) => Some(Place::Nodes),
                ("edges" | "links", false) => Some(Place::Edges),
                ("hyperedges", _) => {
                    out.warn(line, "hyperedges are left out: an edge joins two nodes here");
                    None
                }
                _ => None,
            },
            _ => None,
        };
        self.found |= matches!(next, Some(Place::NodesByKey | Place::Nodes | Place::Edges));
        match next {
            Some(place) => self.places.push(place),
            None => self.passed_over = 1,
        }
        Ok(())
    }

    fn scalar(&mut self, value: &Json, line: u64, out: &mut Out<'_>) -> Result<(), FormatError> {
        if self.places.is_empty() {
            return Err(out.syntax(line, "the document is a single value; a JSON graph is an object"));
        }
        if self.name == "directed" && value == &Json::Bool(false) {
            self.warn_undirected(line, out);
        }
        Ok(())
    }

    fn element(&mut self, value: Json, line: u64, out: &mut Out<'_>) -> Result<(), FormatError> {
        let wrong = |Wrong(problem): Wrong, out: &Out<'_>| out.syntax(line, problem);
        match self.places.last() {
            Some(Place::NodesByKey) => {
                let key = std::mem::take(&mut self.name);
                let node = element::node(Some(key), value).map_err(|error| wrong(error, out))?;
                self.node_count += 1;
                out.node(node, line)
            }
            Some(Place::Nodes) => {
                let mut node = element::node(None, value).map_err(|error| wrong(error, out))?;
                if node.key.is_empty() {
                    node.key =
                        element::key_from_name(&mut node).unwrap_or_else(|| self.node_count.to_string());
                    self.positions.get_or_insert_default();
                }
                if let Some(positions) = &mut self.positions {
                    positions.resize(self.node_count, Box::default());
                    positions.push(node.key.as_str().into());
                }
                self.node_count += 1;
                out.node(node, line)
            }
            _ => {
                let found = element::edge(value).map_err(|error| wrong(error, out))?;
                if self.node_count > 0 || found.positions == [None, None] {
                    return self.edge(found, line, out);
                }
                if self.held.len() == MAX_HELD {
                    return Err(out.unsupported(
                        line,
                        "too many edges by number come before the nodes; put `nodes` first",
                    ));
                }
                self.held.push((found, line));
                Ok(())
            }
        }
    }

    fn edge(&mut self, mut found: Found, line: u64, out: &mut Out<'_>) -> Result<(), FormatError> {
        if let Some(positions) = &self.positions {
            let ends = [&mut found.edge.source, &mut found.edge.target];
            for (end, position) in ends.into_iter().zip(found.positions) {
                let Some(position) = position else { continue };
                let key = positions.get(position).filter(|key| !key.is_empty());
                let key = key.ok_or_else(|| {
                    out.syntax(line, format!("there is no node {position}; they count from 0"))
                })?;
                end.replace_range(.., key);
            }
        }
        if found.undirected {
            self.warn_undirected(line, out);
        }
        out.edge(found.edge, line)
    }

    fn warn_undirected(&mut self, line: u64, out: &mut Out<'_>) {
        if !std::mem::replace(&mut self.warned_undirected, true) {
            out.warn(line, "undirected edges are kept as edges from source to target");
        }
    }
}

fn begins_value(event: &Event) -> bool {
    matches!(event, Event::BeginObject | Event::BeginArray | Event::Scalar(_))
}
