//! What a resource name says: project, graph, layout, constraint or analysis.

use std::fmt;

use crate::Error;

/// Name of a graph: `projects/{project}/graphs/{graph}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GraphName {
    pub(crate) project: String,
    pub(crate) graph: String,
}

/// Name of a layout: `projects/{project}/graphs/{graph}/layouts/{layout}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LayoutName {
    pub(crate) graph: GraphName,
    pub(crate) layout: String,
}

/// Name of a constraint: `projects/{project}/graphs/{graph}/layouts/{layout}/constraints/{constraint}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ConstraintName {
    pub(crate) layout: LayoutName,
    pub(crate) constraint: String,
}

/// Name of an analysis: `projects/{project}/graphs/{graph}/analyses/{analysis}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AnalysisName {
    pub(crate) graph: GraphName,
    pub(crate) analysis: String,
}

impl GraphName {
    /// Reads a name; `field` is where the request has it. The graph may be `-` where the contract
    /// lets it be.
    pub(crate) fn parse(name: &str, field: &'static str) -> Result<Self, Error> {
        let malformed = || Error::bad_field(field, "must be projects/{project}/graphs/{graph}");
        match name.split('/').collect::<Vec<_>>()[..] {
            ["projects", project, "graphs", graph] if !project.is_empty() && !graph.is_empty() => {
                Ok(Self { project: project.to_owned(), graph: graph.to_owned() })
            }
            _ => Err(malformed()),
        }
    }
}

impl LayoutName {
    /// Reads a name; `field` is where the request has it.
    pub(crate) fn parse(name: &str, field: &'static str) -> Result<Self, Error> {
        let malformed =
            || Error::bad_field(field, "must be projects/{project}/graphs/{graph}/layouts/{layout}");
        let (graph, layout) = name.rsplit_once("/layouts/").ok_or_else(malformed)?;
        // An update's name is not checked by a pattern of the contract: the whole resource is sent.
        let graph =
            GraphName::parse(graph, field).ok().filter(|graph| is_id(&graph.project) && is_id(&graph.graph));
        match graph {
            Some(graph) if is_id(layout) => Ok(Self { graph, layout: layout.to_owned() }),
            _ => Err(malformed()),
        }
    }
}

impl ConstraintName {
    /// Reads a name; `field` is where the request has it.
    pub(crate) fn parse(name: &str, field: &'static str) -> Result<Self, Error> {
        let problem = "must be projects/{project}/graphs/{graph}/layouts/{layout}/constraints/{constraint}";
        let malformed = || Error::bad_field(field, problem);
        let (layout, constraint) = name.rsplit_once("/constraints/").ok_or_else(malformed)?;
        // As with a layout's, an update's name is not checked by the contract.
        match LayoutName::parse(layout, field) {
            Ok(layout) if is_id(constraint) => Ok(Self { layout, constraint: constraint.to_owned() }),
            _ => Err(malformed()),
        }
    }
}

impl AnalysisName {
    /// Reads a name; its pattern has been checked by the contract.
    pub(crate) fn parse(name: &str, field: &'static str) -> Result<Self, Error> {
        let malformed =
            || Error::bad_field(field, "must be projects/{project}/graphs/{graph}/analyses/{analysis}");
        let (graph, analysis) = name.rsplit_once("/analyses/").ok_or_else(malformed)?;
        Ok(Self { graph: GraphName::parse(graph, field)?, analysis: analysis.to_owned() })
    }
}

/// Lower-case letters, digits and hyphens, 1 to 63, no hyphen at an end.
fn is_id(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

impl fmt::Display for GraphName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "projects/{}/graphs/{}", self.project, self.graph)
    }
}

impl fmt::Display for LayoutName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/layouts/{}", self.graph, self.layout)
    }
}

impl fmt::Display for ConstraintName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/constraints/{}", self.layout, self.constraint)
    }
}

impl fmt::Display for AnalysisName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/analyses/{}", self.graph, self.analysis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_they_are_written() {
        let text = "projects/p/graphs/g-1/layouts/l";
        let name = LayoutName::parse(text, "name").unwrap();
        assert_eq!((&*name.graph.project, &*name.graph.graph, &*name.layout), ("p", "g-1", "l"));
        assert_eq!(name.to_string(), text);
        let text = "projects/p/graphs/g-1/layouts/l/constraints/c";
        assert_eq!(ConstraintName::parse(text, "name").unwrap().to_string(), text);
        assert!(ConstraintName::parse("projects/p/graphs/g/layouts/l/constraints/C", "name").is_err());
        let text = "projects/p/graphs/g-1/analyses/a";
        assert_eq!(AnalysisName::parse(text, "name").unwrap().to_string(), text);
        assert_eq!(GraphName::parse("projects/p/graphs/-", "parent").unwrap().graph, "-");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in
            ["", "projects/p/graphs/g", "projects/p/graphs/g/layouts/", "projects/p/graphs/G/layouts/l"]
        {
            assert!(LayoutName::parse(text, "name").is_err(), "{text}");
        }
        for text in
            ["projects/p/graphs/-/layouts/l", "projects/p/graphs/g/layouts/l/layouts/l", "graphs/g/layouts/l"]
        {
            assert!(LayoutName::parse(text, "name").is_err(), "{text}");
        }
        assert!(GraphName::parse("projects//graphs/g", "parent").is_err());
    }
}
