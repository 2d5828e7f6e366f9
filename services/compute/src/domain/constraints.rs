//! The constraints of a layout: how they are kept, shown, changed and checked.

use bytes::Bytes;
use prost::Message;
use prost_types::{FieldMask, value::Kind};
use weft_kernels::{Bounds, Dim, Region, Rule as KernelRule, Shape};
use weft_proto::weft::compute::v1::{
    AlignmentShape, Constraint, ListConstraintsResponse, NodeSet, Point, boundary_rule::Region as RegionRule,
    cluster_rule::Members, constraint::Rule, node_set::Nodes,
};
use weft_store::LayoutRow;

use super::name::{ConstraintName, LayoutName};
use crate::Error;

/// The constraints of one layout, by id.
///
/// Kept in the contract's own encoding, as a list. There `name` is only the id, and `etag` only the
/// number of the version.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Constraints(Vec<Constraint>);

impl Constraints {
    /// Reads what [`Self::encode`] wrote; `None` where it cannot be that.
    pub(crate) fn decode(bytes: &Bytes) -> Option<Self> {
        let list = ListConstraintsResponse::decode(bytes.clone()).ok()?.constraints;
        list.is_sorted_by(|a, b| a.name < b.name).then_some(Self(list))
    }

    pub(crate) fn encode(&self) -> Bytes {
        let list = ListConstraintsResponse { constraints: self.0.clone(), ..Default::default() };
        list.encode_to_vec().into()
    }

    pub(crate) fn of(row: &LayoutRow, name: &LayoutName) -> Result<Self, Error> {
        let unreadable = || Error::Unreadable { layout: name.to_string(), what: "constraints" };
        Self::decode(&row.constraints).ok_or_else(unreadable)
    }

    /// All, by id.
    pub(crate) fn all(&self) -> &[Constraint] {
        &self.0
    }

    pub(crate) fn get(&self, name: &ConstraintName) -> Result<&Constraint, Error> {
        self.find(&name.constraint)
            .map(|at| &self.0[at])
            .map_err(|_| Error::ConstraintNotFound(name.to_string()))
    }

    /// Adds one whose id is new.
    pub(crate) fn add(&mut self, name: &ConstraintName, constraint: Constraint) -> Result<(), Error> {
        match self.find(&name.constraint) {
            Ok(_) => Err(Error::ConstraintExists(name.to_string())),
            Err(at) => {
                self.0.insert(at, constraint);
                Ok(())
            }
        }
    }

    /// Puts a changed one in the place of the former.
    pub(crate) fn replace(&mut self, constraint: Constraint) {
        if let Ok(at) = self.find(&constraint.name) {
            self.0[at] = constraint;
        }
    }

    pub(crate) fn remove(&mut self, name: &ConstraintName) {
        self.0.retain(|constraint| constraint.name != name.constraint);
    }

    fn find(&self, id: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|constraint| constraint.name.as_str().cmp(id))
    }

    /// Names of the properties that say which nodes they concern.
    pub(crate) fn properties(&self) -> Vec<String> {
        let mut names = Vec::new();
        for rule in self.0.iter().filter_map(|constraint| constraint.rule.as_ref()) {
            if let Some(Nodes::Property(matched)) = node_set(rule).and_then(|set| set.nodes.as_ref()) {
                names.push(matched.property.clone());
            }
            match rule {
                Rule::Cluster(rule) => {
                    if let Some(Members::GroupByProperty(property)) = &rule.members {
                        names.push(property.clone());
                    }
                }
                Rule::Collision(rule) if !rule.radius_property.is_empty() => {
                    names.push(rule.radius_property.clone());
                }
                _ => {}
            }
        }
        names
    }
}

/// The nodes that a rule names, if it names some.
pub(crate) fn node_set(rule: &Rule) -> Option<&NodeSet> {
    match rule {
        Rule::Alignment(rule) => rule.nodes.as_ref(),
        Rule::Boundary(rule) => rule.nodes.as_ref(),
        Rule::Cluster(rule) => match &rule.members {
            Some(Members::Nodes(nodes)) => Some(nodes),
            _ => None,
        },
        Rule::Distance(_) | Rule::Hierarchy(_) | Rule::Collision(_) => None,
    }
}

/// A kept constraint as a client sees it.
pub(crate) fn shown(layout: &LayoutName, kept: &Constraint, node_count: i64) -> Constraint {
    let name = ConstraintName { layout: layout.clone(), constraint: kept.name.clone() };
    Constraint {
        name: name.to_string(),
        strength: Some(kept.strength.unwrap_or(1.0)),
        node_count,
        etag: etag(kept),
        ..kept.clone()
    }
}

/// The tag that changes with a kept constraint. With a piece of the identity, so that one of the same
/// name that is created later has another one.
pub(crate) fn etag(kept: &Constraint) -> String {
    format!("{}-{}", kept.etag, kept.uid.get(..8).unwrap_or_default())
}

/// Checks the etag that a client sent along; an empty one is any.
pub(crate) fn check_etag(kept: &Constraint, given: &str) -> Result<(), Error> {
    let current = etag(kept);
    if given.is_empty() || given == current { Ok(()) } else { Err(Error::EtagMismatch { current }) }
}

/// A kept constraint after an update: the fields that the mask names are written, or those that are
/// given. A rule is replaced as a whole.
pub(crate) fn updated(
    kept: &Constraint,
    new: &Constraint,
    mask: Option<&FieldMask>,
) -> Result<Constraint, Error> {
    let mut result = kept.clone();
    let paths = mask.map_or(&[][..], |mask| &mask.paths);
    if paths.is_empty() {
        if !new.display_name.is_empty() {
            result.display_name.clone_from(&new.display_name);
        }
        result.strength = new.strength.or(result.strength);
        result.rule = new.rule.clone().or(result.rule);
    }
    for path in paths {
        match path.split('.').next().unwrap_or_default() {
            "*" => {
                result.display_name.clone_from(&new.display_name);
                result.strength = new.strength;
                result.rule.clone_from(&new.rule);
            }
            "display_name" => result.display_name.clone_from(&new.display_name),
            "strength" => result.strength = new.strength,
            "distance" | "hierarchy" | "alignment" | "cluster" | "collision" | "boundary" => {
                result.rule.clone_from(&new.rule);
            }
            _ => {
                let path: String = path.chars().take(100).collect();
                return Err(Error::bad_field("update_mask", format!("\"{path}\" cannot be changed")));
            }
        }
    }
    let kind = |constraint: &Constraint| constraint.rule.as_ref().map(std::mem::discriminant);
    if kind(&result) == kind(kept) {
        Ok(result)
    } else {
        Err(Error::bad_field("constraint.rule", "must be of the kind that it was created with"))
    }
}

/// Refuses what no layout of these dimensions can keep to, beyond what the contract refuses.
pub(crate) fn check(constraint: &Constraint, dim: Dim) -> Result<(), Error> {
    let Some(rule) = &constraint.rule else {
        return Err(Error::bad_field("constraint.rule", "must be given"));
    };
    let kind = kind(rule);
    let matched = match node_set(rule).and_then(|set| set.nodes.as_ref()) {
        Some(Nodes::Property(matched)) => matched.value.as_ref(),
        _ => None,
    };
    let scalar = |kind: &Kind| {
        matches!(kind, Kind::BoolValue(_) | Kind::StringValue(_))
            || matches!(kind, Kind::NumberValue(number) if number.is_finite())
    };
    if matched.is_some_and(|value| !value.kind.as_ref().is_some_and(scalar)) {
        let field = format!("constraint.{kind}.nodes.property.value");
        return Err(Error::bad_field(field, "must be a string, a finite number or a truth value"));
    }
    if let Rule::Cluster(rule) = rule
        && rule.center.is_some()
        && matches!(rule.members, Some(Members::GroupByProperty(_)))
    {
        let problem = "is for a single group; groups by property have one each";
        return Err(Error::bad_field("constraint.cluster.center", problem));
    }
    let kernel = weft_kernels::Constraint { strength: strength(constraint), rule: empty(rule) };
    match kernel.fault(dim) {
        None => Ok(()),
        Some("strength") => {
            Err(Error::bad_field("constraint.strength", "must be at least 0.000001, and at most 1"))
        }
        Some("direction") => {
            let problem = "must have a length, in the dimensions that the layout has";
            Err(Error::bad_field(format!("constraint.{kind}.direction"), problem))
        }
        Some(field) => {
            let problem = "must be in the world, 10,000,000 from the centre, its min not above its max";
            Err(Error::bad_field(format!("constraint.{kind}.{field}"), problem))
        }
    }
}

fn kind(rule: &Rule) -> &'static str {
    match rule {
        Rule::Distance(_) => "distance",
        Rule::Hierarchy(_) => "hierarchy",
        Rule::Alignment(_) => "alignment",
        Rule::Cluster(_) => "cluster",
        Rule::Collision(_) => "collision",
        Rule::Boundary(_) => "boundary",
    }
}

pub(crate) fn strength(constraint: &Constraint) -> f32 {
    constraint.strength.unwrap_or(1.0) as f32
}

/// A rule as the kernels take it, of no nodes yet.
pub(crate) fn empty(rule: &Rule) -> KernelRule {
    match rule {
        Rule::Distance(rule) => KernelRule::Distance { pairs: Vec::new(), length: rule.distance as f32 },
        Rule::Hierarchy(rule) => KernelRule::Hierarchy {
            edges: Vec::new(),
            direction: point(rule.direction.as_ref()),
            gap: rule.gap as f32,
        },
        Rule::Alignment(rule) => KernelRule::Alignment {
            nodes: Vec::new(),
            direction: point(rule.direction.as_ref()),
            shape: match rule.shape() {
                AlignmentShape::Plane => Shape::Plane,
                AlignmentShape::Line | AlignmentShape::Unspecified => Shape::Line,
            },
            through: rule.through.as_ref().map(|through| point(Some(through))),
        },
        Rule::Cluster(rule) => KernelRule::Cluster {
            groups: Vec::new(),
            center: rule.center.as_ref().map(|center| point(Some(center))),
            radius: rule.radius.map(|radius| radius as f32),
            exclusive: rule.exclusive,
        },
        Rule::Collision(rule) => KernelRule::Collision { radii: Vec::new(), others: rule.radius as f32 },
        Rule::Boundary(rule) => KernelRule::Boundary {
            nodes: None,
            region: match &rule.region {
                Some(RegionRule::Ball(ball)) => {
                    Region::Ball { center: point(ball.center.as_ref()), radius: ball.radius as f32 }
                }
                Some(RegionRule::Box(bounds)) => {
                    Region::Box(Bounds { min: point(bounds.min.as_ref()), max: point(bounds.max.as_ref()) })
                }
                None => Region::Box(Bounds::default()),
            },
        },
    }
}

fn point(point: Option<&Point>) -> weft_kernels::Point {
    point.map_or([0.0; 3], |point| [point.x, point.y, point.z])
}

#[cfg(test)]
mod tests;
