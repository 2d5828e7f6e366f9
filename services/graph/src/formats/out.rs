//! Where readers put elements: checks what the contract asks of keys, types and names, fills in
//! defaults, and knows the path that problems are reported with.

use weft_proto::weft::graph::v1::{Edge, ImportWarning, Node};

use super::{FormatError, Position, ReadLimits, ReadOptions, Sink, value};

/// Longest key of a node or an edge, in bytes.
const MAX_KEY_BYTES: usize = 512;
/// Longest type and label, in bytes.
pub(super) const MAX_TYPE_BYTES: usize = 128;
/// Longest name for people, in bytes.
const MAX_NAME_BYTES: usize = 1024;
/// Most labels of a node.
const MAX_LABELS: usize = 64;

/// The sink of one file.
pub(super) struct Out<'a> {
    pub(super) sink: &'a mut dyn Sink,
    pub(super) options: &'a ReadOptions,
    pub(super) path: &'a str,
}

impl Out<'_> {
    pub(super) fn limits(&self) -> &ReadLimits {
        &self.options.limits
    }

    /// Hands on a declared node.
    pub(super) fn node(&mut self, mut node: Node, line: u64) -> Result<(), FormatError> {
        self.complete(&mut node, line)?;
        self.sink.node(node)
    }

    /// Hands on a node that is referred to but not declared.
    pub(super) fn placeholder(&mut self, mut node: Node, line: u64) -> Result<(), FormatError> {
        self.complete(&mut node, line)?;
        self.sink.placeholder(node)
    }

    /// Hands on an edge.
    pub(super) fn edge(&mut self, mut edge: Edge, line: u64) -> Result<(), FormatError> {
        self.check_key(&edge.source, "source", line)?;
        self.check_key(&edge.target, "target", line)?;
        if !edge.key.is_empty() {
            self.check_key(&edge.key, "key of an edge", line)?;
        }
        if edge.r#type.is_empty() {
            edge.r#type.clone_from(&self.options.default_edge_type);
        }
        self.check_type(&edge.r#type, line)?;
        if let Some(weight) = edge.weight
            && !(weight.is_finite() && weight >= 0.0)
        {
            // Signed networks are common; refusing them whole would help nobody.
            edge.weight = None;
            let properties = edge.properties.get_or_insert_default();
            properties.fields.insert("weight".to_owned(), value::number(weight));
            self.warn(
                line,
                format!("weight {weight} is negative or not finite; it is kept as a property instead"),
            );
        }
        self.sink.edge(edge)
    }

    /// Reports something odd.
    pub(super) fn warn(&mut self, line: u64, message: impl Into<String>) {
        let line = i64::try_from(line).unwrap_or(i64::MAX);
        self.sink.warn(ImportWarning { path: self.path.to_owned(), line, message: message.into() });
    }

    pub(super) fn syntax(&self, line: u64, problem: impl Into<String>) -> FormatError {
        FormatError::Syntax { at: Position::line(self.path, line), problem: problem.into() }
    }

    pub(super) fn truncated(&self, line: u64, problem: impl Into<String>) -> FormatError {
        FormatError::Truncated { at: Position::line(self.path, line), problem: problem.into() }
    }

    pub(super) fn unsupported(&self, line: u64, problem: impl Into<String>) -> FormatError {
        FormatError::Unsupported { at: Position::line(self.path, line), problem: problem.into() }
    }

    pub(super) fn too_large(&self, line: u64, problem: impl Into<String>, limit: usize) -> FormatError {
        let at = Position::line(self.path, line);
        FormatError::TooLarge { at, problem: problem.into(), limit: limit as u64 }
    }

    fn complete(&mut self, node: &mut Node, line: u64) -> Result<(), FormatError> {
        self.check_key(&node.key, "key of a node", line)?;
        if node.r#type.is_empty() {
            node.r#type.clone_from(&self.options.default_node_type);
        }
        self.check_type(&node.r#type, line)?;
        if node.display_name.len() > MAX_NAME_BYTES {
            cut(&mut node.display_name, MAX_NAME_BYTES);
            self.warn(line, format!("the name of {:?} is cut to {MAX_NAME_BYTES} bytes", node.key));
        }
        if !node.labels.is_empty() {
            self.tidy_labels(node, line);
        }
        Ok(())
    }

    fn tidy_labels(&mut self, node: &mut Node, line: u64) {
        let mut kept: Vec<String> = Vec::with_capacity(node.labels.len().min(MAX_LABELS));
        let mut shortened = false;
        for mut label in node.labels.drain(..) {
            if label.len() > MAX_TYPE_BYTES {
                cut(&mut label, MAX_TYPE_BYTES);
                shortened = true;
            }
            if label.is_empty() || kept.contains(&label) {
                continue;
            }
            if kept.len() == MAX_LABELS {
                shortened = true;
                break;
            }
            kept.push(label);
        }
        node.labels = kept;
        if shortened {
            let key = &node.key;
            self.warn(
                line,
                format!("labels of {key:?} are cut to {MAX_LABELS} of {MAX_TYPE_BYTES} bytes each"),
            );
        }
    }

    fn check_key(&self, key: &str, what: &str, line: u64) -> Result<(), FormatError> {
        match key_problem(key) {
            None => Ok(()),
            Some(problem) => Err(self.syntax(line, format!("the {what} {problem}"))),
        }
    }

    fn check_type(&self, name: &str, line: u64) -> Result<(), FormatError> {
        if name.len() <= MAX_TYPE_BYTES {
            return Ok(());
        }
        Err(self
            .syntax(line, format!("a type has {} bytes; at most {MAX_TYPE_BYTES} are allowed", name.len())))
    }
}

/// What keeps a text from being a key; `None` if it can be one.
pub(super) fn key_problem(key: &str) -> Option<String> {
    if key.is_empty() {
        return Some(format!("is empty; 1 to {MAX_KEY_BYTES} bytes are needed"));
    }
    if key.len() > MAX_KEY_BYTES {
        return Some(format!("has {} bytes; at most {MAX_KEY_BYTES} are allowed", key.len()));
    }
    // Most keys are ASCII: one look at the bytes settles them.
    let suspicious = key.bytes().any(|byte| byte < 0x20 || byte == 0x7f || byte == 0xc2);
    if suspicious && let Some(control) = key.chars().find(|character| character.is_control()) {
        return Some(format!("{key:?} has the control character {control:?}; keys have none"));
    }
    None
}

/// Cuts a text to at most `max` bytes, between characters.
pub(super) fn cut(text: &mut String, max: usize) {
    text.truncate(text.floor_char_boundary(max));
}
