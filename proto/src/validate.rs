//! Validation of messages by the rules in their contracts.

use std::fmt::Write;

/// Implemented for every message of the mesh by the build, from its `buf.validate` rules.
pub trait Validate {
    /// Adds what is wrong with this message.
    fn check(&self, violations: &mut Violations);

    /// What is wrong with this message; empty if nothing is. At most [`Violations::MOST`].
    fn violations(&self) -> Vec<Violation> {
        let mut violations = Violations::default();
        self.check(&mut violations);
        violations.found
    }
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, for example `changes[3].upsert_node.node.key`.
    pub field: String,
    /// The rule, for example `string.max_bytes`.
    pub rule: &'static str,
    /// What would be right, for example "must have at most 512 bytes".
    pub description: &'static str,
}

enum Step {
    Field(&'static str),
    Index(usize),
    Key(String),
}

/// Collects violations while a message is walked.
#[derive(Default)]
pub struct Violations {
    path: Vec<Step>,
    found: Vec<Violation>,
}

impl Violations {
    /// After so many the walk stops: a hostile message must not earn a long answer.
    pub const MOST: usize = 32;

    /// Whether the walk should stop.
    pub fn is_full(&self) -> bool {
        self.found.len() >= Self::MOST
    }

    /// Goes into a field.
    pub fn enter(&mut self, field: &'static str) {
        self.path.push(Step::Field(field));
    }

    /// Goes into an element of a list.
    pub fn enter_index(&mut self, index: usize) {
        self.path.push(Step::Index(index));
    }

    /// Goes into an entry of a map.
    pub fn enter_key(&mut self, key: &str) {
        self.path.push(Step::Key(key.chars().take(64).collect()));
    }

    /// Goes back out.
    pub fn leave(&mut self) {
        self.path.pop();
    }

    /// Notes that a rule is broken where the walk is.
    pub fn add(&mut self, rule: &'static str, description: &'static str) {
        if self.is_full() {
            return;
        }
        let mut field = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) if field.is_empty() => field.push_str(name),
                Step::Field(name) => {
                    field.push('.');
                    field.push_str(name);
                }
                Step::Index(index) => write!(field, "[{index}]").expect("writing to a string cannot fail"),
                Step::Key(key) => write!(field, "[{key:?}]").expect("writing to a string cannot fail"),
            }
        }
        self.found.push(Violation { field, rule, description });
    }
}

/// Whether a field has the value that means "not given".
pub(crate) fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Whether a text is a UUID in its usual form.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::{Validate, Violations};
    use crate::weft::{
        compute::v1::LayoutParameters,
        execution::v1::ExecutionState,
        graph::v1::{ApplyChangesRequest, Change, CreateGraphRequest, Graph, Node, NodeUpsert, change},
        trigger::v1::ExecutionEndSource,
    };

    fn upsert(key: &str) -> Change {
        let node = Node { key: key.into(), ..Node::default() };
        Change {
            change: Some(change::Change::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })),
        }
    }

    #[test]
    fn names_the_field_inside_lists_and_oneofs() {
        let request = ApplyChangesRequest {
            graph: "projects/p/graphs/g".into(),
            changes: vec![upsert("a"), upsert("")],
            ..ApplyChangesRequest::default()
        };
        let violations = request.violations();
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert_eq!(violations[0].field, "changes[1].upsert_node.node.key");
        assert_eq!(violations[0].rule, "string.min_bytes");
    }

    #[test]
    fn a_list_may_be_of_some_values_and_of_each_once() {
        let rules = |states: &[ExecutionState]| {
            let states = states.iter().map(|state| *state as i32).collect();
            let source = ExecutionEndSource { states, ..ExecutionEndSource::default() };
            source.violations().into_iter().map(|violation| violation.rule).collect::<Vec<_>>()
        };
        assert!(rules(&[ExecutionState::Succeeded, ExecutionState::Failed]).is_empty());
        assert_eq!(rules(&[ExecutionState::Failed, ExecutionState::Failed]), ["repeated.unique"]);
        assert_eq!(rules(&[ExecutionState::Running]), ["enum.in"]);
    }

    #[test]
    fn a_good_request_has_no_violations() {
        let request = CreateGraphRequest {
            parent: "projects/default".into(),
            graph: Some(Graph::default()),
            ..CreateGraphRequest::default()
        };
        assert_eq!(request.violations(), []);
    }

    #[test]
    fn names_bad_patterns_ids_and_missing_messages() {
        let request = CreateGraphRequest {
            parent: "projects/UPPER".into(),
            graph_id: "-x".into(),
            graph: None,
            request_id: "no uuid".into(),
        };
        let fields: Vec<_> = request.violations().into_iter().map(|violation| violation.field).collect();
        assert_eq!(fields, ["parent", "graph_id", "graph", "request_id"]);
    }

    #[test]
    fn numbers_must_be_finite_and_in_range() {
        for repulsion in [f64::NAN, f64::INFINITY, -1.0, 1000.1] {
            let parameters = LayoutParameters { repulsion: Some(repulsion), ..LayoutParameters::default() };
            assert!(!parameters.violations().is_empty(), "{repulsion}");
        }
        assert_eq!(LayoutParameters::default().violations(), []);
    }

    #[test]
    fn stops_after_enough() {
        let request = ApplyChangesRequest {
            graph: "projects/p/graphs/g".into(),
            changes: vec![upsert(""); 5000],
            ..ApplyChangesRequest::default()
        };
        assert_eq!(request.violations().len(), Violations::MOST);
    }
}
