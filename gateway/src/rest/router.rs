//! Which method a path and an HTTP method lead to: a tree of segments, built once.

use std::{collections::HashMap, sync::Arc};

use http::Method;
use smallvec::SmallVec;

use super::{Route, template::Segment};
use crate::{
    GatewayError,
    catalog::Catalog,
    percent::{self, Part},
};

/// The routes of all methods.
#[derive(Debug, Default)]
pub(crate) struct Router {
    root: Node,
    routes: Vec<Arc<Route>>,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    one: Option<Box<Node>>,
    /// Paths that end here.
    ends: Vec<Arc<Route>>,
    /// Paths whose `**` begins here.
    rests: Vec<Arc<Route>>,
}

/// The segments of a path, still encoded.
pub(crate) type Segments<'p> = SmallVec<[&'p str; 12]>;

/// What is at a path.
#[derive(Debug)]
pub(crate) enum Found<'r, 'p> {
    /// A method, and the path's segments without a verb.
    Route(&'r Arc<Route>, Segments<'p>),
    /// Something, but not for this HTTP method: the ones that it has.
    WrongMethod(Vec<Method>),
    /// Nothing.
    Nothing,
}

impl Router {
    /// Builds the tree.
    ///
    /// # Errors
    /// A rule that is wrong, or two that claim the same.
    pub(crate) fn new(catalog: &Catalog) -> Result<Self, GatewayError> {
        let mut router = Self::default();
        for entry in catalog.methods() {
            let routes = super::binding::routes(entry)
                .map_err(|problem| GatewayError::Rule { method: entry.path.to_string(), problem })?;
            for route in routes {
                router.insert(Arc::new(route))?;
            }
        }
        Ok(router)
    }

    fn insert(&mut self, route: Arc<Route>) -> Result<(), GatewayError> {
        let mut node = &mut self.root;
        let mut leaves = None;
        for segment in &route.template.segments {
            match segment {
                Segment::Literal(text) => node = node.literals.entry(text.clone()).or_default(),
                Segment::One => node = node.one.get_or_insert_default(),
                Segment::Rest => leaves = Some(&mut node.rests),
            }
            if leaves.is_some() {
                break;
            }
        }
        let leaves = match leaves {
            Some(rests) => rests,
            None => &mut node.ends,
        };
        let same = leaves.iter().find(|other| {
            other.http_method == route.http_method && other.template.verb == route.template.verb
        });
        if let Some(first) = same {
            return Err(GatewayError::Conflict {
                http_method: route.http_method.as_ref().map_or("*".to_owned(), ToString::to_string),
                path: route.path.clone(),
                first: first.entry.path.to_string(),
                second: route.entry.path.to_string(),
            });
        }
        leaves.push(Arc::clone(&route));
        self.routes.push(route);
        Ok(())
    }

    /// All routes, in the order of their methods' paths.
    pub(crate) fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Whether a path lies where contracts put theirs, so that no page may answer for it.
    pub(crate) fn is_api_path(&self, path: &str) -> bool {
        let first = path.split('/').nth(1).unwrap_or_default();
        self.root.literals.contains_key(first.split(':').next().unwrap_or_default())
    }

    /// Finds the method for a request. Literal segments go before `*`, `*` before `**`. A colon
    /// in the last segment begins a verb where such a verb exists, and else is part of the
    /// segment.
    pub(crate) fn find<'p>(&self, path: &'p str, method: &Method) -> Found<'_, 'p> {
        let Some(path) = path.strip_prefix('/') else { return Found::Nothing };
        let mut segments: Segments<'p> = path.split('/').collect();
        let last = segments.last().copied().unwrap_or_default();
        let mut search = Search { method, found: None, others: Vec::new() };
        if let Some((name, verb)) = last.rsplit_once(':') {
            *segments.last_mut().expect("a split has a part") = name;
            search.walk(&self.root, &segments, Some(verb));
            if search.is_empty() {
                *segments.last_mut().expect("a split has a part") = last;
            }
        }
        if search.is_empty() {
            search.walk(&self.root, &segments, None);
        }
        match search.found {
            Some(route) => Found::Route(route, segments),
            None if search.others.is_empty() => Found::Nothing,
            None => {
                search.others.sort_by(|one, other| one.as_str().cmp(other.as_str()));
                search.others.dedup();
                Found::WrongMethod(search.others)
            }
        }
    }
}

struct Search<'r, 'm> {
    method: &'m Method,
    found: Option<&'r Arc<Route>>,
    others: Vec<Method>,
}

impl<'r> Search<'r, '_> {
    fn is_empty(&self) -> bool {
        self.found.is_none() && self.others.is_empty()
    }

    /// Visits each node of the tree at most once.
    fn walk(&mut self, node: &'r Node, segments: &[&str], verb: Option<&str>) {
        let Some((segment, after)) = segments.split_first() else {
            self.choose(&node.ends, verb);
            if self.found.is_none() {
                self.choose(&node.rests, verb);
            }
            return;
        };
        let literal = if segment.contains('%') {
            percent::decode(segment, Part::Segment).ok().and_then(|text| node.literals.get(text.as_ref()))
        } else {
            node.literals.get(*segment)
        };
        if let Some(next) = literal {
            self.walk(next, after, verb);
        }
        if self.found.is_none()
            && !segment.is_empty()
            && let Some(next) = &node.one
        {
            self.walk(next, after, verb);
        }
        if self.found.is_none() {
            self.choose(&node.rests, verb);
        }
    }

    fn choose(&mut self, routes: &'r [Arc<Route>], verb: Option<&str>) {
        let mut any = None;
        for route in routes.iter().filter(|route| route.template.verb.as_deref() == verb) {
            match &route.http_method {
                Some(method) if method == self.method => {
                    self.found = Some(route);
                    return;
                }
                Some(method) => self.others.push(method.clone()),
                None => any = Some(route),
            }
        }
        self.found = any;
    }
}
