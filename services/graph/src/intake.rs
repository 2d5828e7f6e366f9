//! What imports and refreshes share: how much is read, what was found, and what came of it.

use weft_proto::weft::graph::v1::{Edge, ImportResult, ImportWarning, Node};

use crate::{
    Options,
    domain::{
        change::{Import, Plan, Scope},
        limits::GraphLimits,
    },
    formats::{FormatError, ReadLimits, Sink},
};

/// Warnings that an answer holds; the others are counted.
const MAX_WARNINGS: usize = 100;

/// How much of one import is read.
pub(crate) fn read_limits(options: &Options) -> ReadLimits {
    let usual = ReadLimits::default();
    ReadLimits {
        max_file_bytes: options.max_import_content_bytes,
        max_total_bytes: options.max_import_content_bytes,
        max_files: options.max_import_files,
        max_text_bytes: usual.max_text_bytes.min(options.limits.max_property_bytes * 3 / 4),
        ..usual
    }
}

/// What the files say.
pub(crate) struct Found {
    pub(crate) limits: GraphLimits,
    pub(crate) import: Import,
    pub(crate) warnings: Warnings,
}

/// What was odd.
#[derive(Default)]
pub(crate) struct Warnings {
    first: Vec<ImportWarning>,
    count: i64,
}

impl Warnings {
    /// What a planned import did.
    pub(crate) fn result(&self, plan: &Plan) -> ImportResult {
        ImportResult {
            revision: plan.revision,
            created_node_count: plan.counts.created_nodes as i64,
            updated_node_count: plan.counts.updated_nodes as i64,
            deleted_node_count: plan.counts.deleted_nodes as i64,
            created_edge_count: plan.counts.created_edges as i64,
            updated_edge_count: plan.counts.updated_edges as i64,
            deleted_edge_count: plan.counts.deleted_edges as i64,
            warnings: self.first.clone(),
            warning_count: self.count,
        }
    }
}

impl Found {
    /// Nothing yet.
    pub(crate) fn new(options: &Options, scope: Scope, default_node_type: &str) -> Self {
        let default_node_type = default_node_type.to_owned();
        Self {
            limits: options.limits.clone(),
            import: Import { scope, default_node_type, ..Import::default() },
            warnings: Warnings::default(),
        }
    }

    /// Elements are counted while they come: an import that cannot fit ends before it fills the memory.
    /// Twice the limit, because the same element may come again.
    fn check(have: usize, most: u64, what: &str) -> Result<(), FormatError> {
        if have as u64 >= most.saturating_mul(2) {
            return Err(FormatError::Refused { problem: format!("a graph has at most {most} {what}") });
        }
        Ok(())
    }
}

impl Sink for Found {
    fn node(&mut self, node: Node) -> Result<(), FormatError> {
        Self::check(self.import.nodes.len(), self.limits.max_nodes, "nodes")?;
        self.import.nodes.push(node);
        Ok(())
    }

    fn edge(&mut self, edge: Edge) -> Result<(), FormatError> {
        Self::check(self.import.edges.len(), self.limits.max_edges, "edges")?;
        self.import.edges.push(edge);
        Ok(())
    }

    fn placeholder(&mut self, node: Node) -> Result<(), FormatError> {
        Self::check(self.import.placeholders.len(), self.limits.max_nodes, "nodes")?;
        self.import.placeholders.push(node);
        Ok(())
    }

    fn warn(&mut self, warning: ImportWarning) {
        self.warnings.count += 1;
        if self.warnings.first.len() < MAX_WARNINGS {
            self.warnings.first.push(warning);
        }
    }
}
