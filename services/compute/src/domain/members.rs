//! Which nodes a constraint concerns, in the graph as it is now.

use std::collections::HashMap;

use weft_kernels::Rule as KernelRule;
use weft_proto::weft::compute::v1::{
    Constraint, NodeSet, cluster_rule::Members, constraint::Rule, node_set::Nodes,
};

use super::{
    constraints::{self, Constraints},
    graph_copy::{GraphCopy, Scalar},
};

/// Groups of one constraint at most; the smallest ones are left out.
const MAX_GROUPS: usize = 10_000;

/// Constraints as the kernels take them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Resolved {
    /// In the order of the ids.
    pub(crate) constraints: Vec<weft_kernels::Constraint>,
    /// How many nodes each concerns, by its uid.
    pub(crate) counts: HashMap<String, i64>,
}

/// Finds the nodes of all constraints. The same graph gives the same lists, in the same order.
pub(crate) fn resolve(constraints: &Constraints, copy: &GraphCopy) -> Resolved {
    let mut resolved = Resolved::default();
    for constraint in constraints.all() {
        if let Some((rule, count)) = rule(constraint, copy) {
            let strength = constraints::strength(constraint);
            resolved.constraints.push(weft_kernels::Constraint { strength, rule });
            resolved.counts.insert(constraint.uid.clone(), count as i64);
        }
    }
    resolved
}

fn rule(constraint: &Constraint, copy: &GraphCopy) -> Option<(KernelRule, usize)> {
    let asked = constraint.rule.as_ref()?;
    let all = copy.counts().0;
    let mut rule = constraints::empty(asked);
    let count = match (&mut rule, asked) {
        (KernelRule::Distance { pairs, .. }, Rule::Distance(asked)) => {
            let find = |pair: &weft_proto::weft::compute::v1::NodePair| {
                Some((copy.ordinal(&pair.a)?, copy.ordinal(&pair.b)?))
            };
            *pairs = asked.pairs.iter().filter_map(find).collect();
            distinct(pairs)
        }
        (KernelRule::Hierarchy { edges, .. }, Rule::Hierarchy(asked)) => {
            *edges = copy.edges_of(&asked.edge_type);
            edges.sort_unstable();
            edges.dedup();
            distinct(edges)
        }
        (KernelRule::Alignment { nodes, .. }, Rule::Alignment(asked)) => {
            *nodes = members(asked.nodes.as_ref()?, copy);
            nodes.len()
        }
        (KernelRule::Cluster { groups, .. }, Rule::Cluster(asked)) => {
            *groups = match asked.members.as_ref()? {
                Members::Nodes(set) => vec![members(set, copy)],
                Members::GroupByProperty(property) => grouped(property, copy),
            };
            groups.iter().map(Vec::len).sum()
        }
        (KernelRule::Collision { radii, others }, Rule::Collision(asked)) => {
            let radius = |value: &Scalar| value.number().filter(|radius| (0.0..=1e7).contains(radius));
            let node = |(node, value)| Some((node, radius(value)? as f32));
            *radii = copy.with_property(&asked.radius_property).filter_map(node).collect();
            radii.sort_unstable_by_key(|(node, _)| *node);
            if *others > 0.0 { all } else { radii.len() }
        }
        (KernelRule::Boundary { nodes, .. }, Rule::Boundary(asked)) => {
            *nodes = asked.nodes.as_ref().map(|set| members(set, copy));
            nodes.as_ref().map_or(all, Vec::len)
        }
        _ => return None,
    };
    Some((rule, count))
}

/// How many nodes pairs have.
fn distinct(pairs: &[(u32, u32)]) -> usize {
    let mut nodes: Vec<u32> = pairs.iter().flat_map(|(a, b)| [*a, *b]).collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes.len()
}

/// The nodes of a set, ascending, each once.
fn members(set: &NodeSet, copy: &GraphCopy) -> Vec<u32> {
    let mut nodes: Vec<u32> = match &set.nodes {
        Some(Nodes::Keys(keys)) => keys.keys.iter().filter_map(|key| copy.ordinal(key)).collect(),
        Some(Nodes::Property(matched)) => {
            let wanted = matched.value.as_ref().and_then(Scalar::new);
            let same = |(node, value): (u32, &Scalar)| (Some(value) == wanted.as_ref()).then_some(node);
            copy.with_property(&matched.property).filter_map(same).collect()
        }
        None => Vec::new(),
    };
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

/// Nodes with the same value together; the largest groups first, equal ones by their values.
fn grouped(property: &str, copy: &GraphCopy) -> Vec<Vec<u32>> {
    let mut by_value: HashMap<&Scalar, Vec<u32>> = HashMap::new();
    for (node, value) in copy.with_property(property) {
        by_value.entry(value).or_default().push(node);
    }
    let mut groups: Vec<(&Scalar, Vec<u32>)> = by_value.into_iter().collect();
    groups.sort_unstable_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.0.cmp(b.0)));
    groups.truncate(MAX_GROUPS);
    let ascending = |(_, mut nodes): (_, Vec<u32>)| {
        nodes.sort_unstable();
        nodes
    };
    groups.into_iter().map(ascending).collect()
}
