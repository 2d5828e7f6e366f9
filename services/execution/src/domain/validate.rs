//! Is this a workflow that can be run? Every fault names its node, and its port or property.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde_json::{Map, Value as Json};

use super::{
    cache::Cache,
    duration,
    fault::{Fault, Faults},
    limit::Limit,
    plan::{Plan, Planned, Scope},
    retry::Retry,
    workflow::{Definition, Edge, Graph, IN, Node},
};
use crate::kinds::{self, Behaviour, Kind, Port, Settings};

/// Most nodes of a workflow, and most edges.
pub(crate) const NODES: usize = 100_000;
/// Deepest nesting of bodies, and of sub-graphs in each other.
pub(crate) const DEPTH: usize = 16;
/// Properties that every node may have, besides those of its kind.
const COMMON: [&str; 10] =
    ["cache", "retry", "timeout", "limit", "title", "description", "notes", "position", "x", "y"];

impl Plan {
    /// Makes a plan, or says why not. Also tells what is odd.
    pub(crate) fn compile(definition: &Definition) -> (Option<Self>, Vec<Fault>) {
        let mut faults = Faults::default();
        let scopes = scopes(definition, &mut faults);
        let plan = faults.are_harmless().then_some(Self { scopes });
        (plan, faults.into_vec())
    }
}

/// Makes scopes of the graphs; the first one is the first graph's own.
fn scopes(definition: &Definition, faults: &mut Faults) -> Vec<Scope> {
    let mut making = Making { faults, scopes: Vec::new(), roots: HashMap::new() };
    let mut bodies = Vec::new();
    for (number, graph) in definition.graphs.iter().enumerate() {
        making.faults_of(number, &graph.name, |making| making.graph(graph, &mut bodies));
    }
    for (scope, node, graph) in bodies {
        making.scopes[scope].nodes[node].body = making.roots.get(&graph).copied();
    }
    making.scopes
}

struct Making<'f> {
    faults: &'f mut Faults,
    scopes: Vec<Scope>,
    /// The scopes of graphs, by name.
    roots: HashMap<String, usize>,
}

/// A node's place while its graph is looked at.
struct Seen {
    kind: Option<&'static dyn Kind>,
    /// The node whose body it is in.
    parent: Option<usize>,
}

impl Making<'_> {
    /// Faults of a sub-graph are told with its name.
    fn faults_of(&mut self, number: usize, name: &str, look: impl FnOnce(&mut Self)) {
        if number == 0 {
            return look(self);
        }
        let before = std::mem::take(self.faults);
        look(self);
        let found = std::mem::replace(self.faults, before);
        for fault in found.into_vec() {
            self.faults.add(Fault { message: format!("in {name}: {}", fault.message), ..fault });
        }
    }

    fn graph(&mut self, graph: &Graph, bodies: &mut Vec<(usize, usize, String)>) {
        if graph.nodes.len() > NODES || graph.edges.len() > NODES {
            let problem = format!("more than {NODES} nodes or edges");
            return self.faults.node("", "TOO_LARGE", problem);
        }
        let root = self.scopes.len();
        self.roots.insert(graph.name.clone(), root);
        let seen = self.nodes(graph);
        // A scope for the graph itself, and one for each body.
        let mut scope_of: HashMap<Option<usize>, usize> = HashMap::from([(None, root)]);
        self.scopes.push(Scope::default());
        for (place, seen) in seen.iter().enumerate() {
            if seen.kind.is_some_and(<dyn Kind>::has_body) {
                scope_of.insert(Some(place), self.scopes.len());
                self.scopes.push(Scope::default());
            }
        }
        let edges = self.edges(graph, &seen);
        let mut wired = vec![Wired::default(); graph.nodes.len()];
        for edge in &edges {
            wired[edge.source as usize].outgoing.push((Arc::from(&*edge.port), edge.target));
            wired[edge.target as usize].incoming += 1;
        }
        let orders = self.order(graph, &wired);
        self.reach(graph, &seen, &wired, &orders);
        let mut local = vec![0_u32; graph.nodes.len()];
        let mut named = Vec::new();
        let mut places = Vec::new();
        for (place, (node, seen)) in graph.nodes.iter().zip(&seen).enumerate() {
            let (Some(kind), Some(scope)) = (seen.kind, scope_of.get(&seen.parent).copied()) else {
                continue;
            };
            if kind.name() == "note" {
                continue;
            }
            let mut settings = Settings::new(&node.key, &node.settings, self.faults);
            let behaviour = kind.compile(&mut settings);
            let limit = Limit::of(&mut settings, kind, &graph.name, &node.key);
            let cache = Cache::of(&mut settings, kind, &graph.name, &node.key);
            named.extend(settings.steps.into_iter().map(|(step, property)| (place, step, property)));
            let (retry, timeout) = self.common(node, kind);
            local[place] = self.scopes[scope].nodes.len() as u32;
            places.push((place, scope));
            if let Some(other) = behaviour.graph() {
                bodies.push((scope, local[place] as usize, other.to_owned()));
            }
            let key: Arc<str> = Arc::from(&*node.key);
            let body = if behaviour.graph().is_some() { None } else { scope_of.get(&Some(place)).copied() };
            let shape = behaviour.shape();
            let into = &mut self.scopes[scope];
            into.places.insert(Arc::clone(&key), local[place]);
            if shape == kinds::Shape::Output {
                into.outputs.push(local[place]);
            }
            into.nodes.push(Planned {
                key,
                kind,
                behaviour,
                shape,
                retry,
                timeout,
                limit,
                cache,
                incoming: wired[place].incoming,
                outgoing: Vec::new(),
                body,
            });
        }
        for (place, scope) in places {
            let ways = std::mem::take(&mut wired[place].outgoing);
            self.ways(&graph.nodes[place], &ways, (scope, local[place] as usize));
            let ways = ways.into_iter().map(|(port, target)| (port, local[target as usize]));
            self.scopes[scope].nodes[local[place] as usize].outgoing = ways.collect();
        }
        self.names(graph, &seen, &named);
        for (place, node) in graph.nodes.iter().enumerate() {
            if seen[place].kind.is_some_and(<dyn Kind>::has_body)
                && scope_of.get(&Some(place)).is_some_and(|scope| self.scopes[*scope].nodes.is_empty())
            {
                self.faults.node(&node.key, "EMPTY_BODY", "has no nodes inside: give them `parent`");
            }
        }
    }

    /// Keys, kinds and parents.
    fn nodes(&mut self, graph: &Graph) -> Vec<Seen> {
        let places: HashMap<&str, usize> =
            graph.nodes.iter().enumerate().map(|(place, node)| (node.key.as_str(), place)).collect();
        let mut seen: Vec<Seen> = Vec::with_capacity(graph.nodes.len());
        for node in &graph.nodes {
            if node.key.contains(['/', '[', ']']) {
                self.faults.node(&node.key, "BAD_KEY", "keys of a workflow have no `/`, `[` or `]`");
            }
            let kind = kinds::find(&node.kind);
            if kind.is_none() {
                let problem = if node.kind.is_empty() {
                    "has no type: it says what the node does".to_owned()
                } else {
                    format!("there is no kind {:?} of nodes", node.kind)
                };
                self.faults.node(&node.key, "UNKNOWN_KIND", problem);
            }
            let parent = places.get(node.parent.as_str()).copied();
            if !node.parent.is_empty() && parent.is_none() {
                let problem = format!("there is no node {:?}", node.parent);
                self.faults.property((&node.key, "parent"), "BAD_PARENT", problem);
            }
            seen.push(Seen { kind, parent });
        }
        for (place, node) in graph.nodes.iter().enumerate() {
            let Some(parent) = seen[place].parent else { continue };
            if seen[parent].kind.is_some_and(|kind| !kind.has_body()) {
                let problem = format!("{:?} has no body", node.parent);
                self.faults.property((&node.key, "parent"), "BAD_PARENT", problem);
            }
            let (mut at, mut depth) = (Some(parent), 0);
            while let Some(above) = at {
                depth += 1;
                if depth > DEPTH {
                    let problem = format!("is inside itself, or deeper than {DEPTH} bodies");
                    self.faults.property((&node.key, "parent"), "BAD_PARENT", problem);
                    break;
                }
                at = seen[above].parent;
            }
        }
        seen
    }

    /// The edges that are right.
    fn edges<'g>(&mut self, graph: &'g Graph, seen: &[Seen]) -> Vec<&'g Edge> {
        let mut entered = HashSet::new();
        let mut right = Vec::with_capacity(graph.edges.len());
        for edge in &graph.edges {
            let (source, target) = (edge.source as usize, edge.target as usize);
            let (from, to) = (&graph.nodes[source], &graph.nodes[target]);
            let (Some(source_kind), Some(target_kind)) = (seen[source].kind, seen[target].kind) else {
                continue;
            };
            if seen[source].parent != seen[target].parent {
                let problem = format!("an edge to {:?} leads into or out of a body", to.key);
                self.faults.port(&from.key, &edge.port, "CROSSES_BODY", problem);
                continue;
            }
            let Some(port) = target_kind.inputs().iter().find(|port| port.name == edge.to) else {
                let problem = format!("has no input {:?}, where an edge from {:?} enters", edge.to, from.key);
                self.faults.port(&to.key, &edge.to, "UNKNOWN_PORT", problem);
                continue;
            };
            if !port.many && !entered.insert((edge.target, edge.to.as_str())) {
                let problem = "more than one edge enters here; join them with a `merge`";
                self.faults.port(&to.key, &edge.to, "PORT_TAKEN", problem);
                continue;
            }
            let output = source_kind.outputs().iter().find(|output| output.name == edge.port);
            if let Some(output) = output.filter(|output| !fits(output, port)) {
                let problem = format!(
                    "gives {} {:?}, and {:?} takes {}",
                    output.value_type, edge.port, to.key, port.value_type
                );
                self.faults.port(&from.key, &edge.port, "TYPE_MISMATCH", problem);
                continue;
            }
            right.push(edge);
        }
        right
    }

    /// The nodes in an order in which each comes after those that lead to it; those in a cycle are left out, and
    /// told.
    fn order(&mut self, graph: &Graph, wired: &[Wired]) -> Vec<usize> {
        let mut left: Vec<u32> = wired.iter().map(|wired| wired.incoming).collect();
        let mut order: Vec<usize> = (0..left.len()).filter(|place| left[*place] == 0).collect();
        let mut at = 0;
        while let Some(place) = order.get(at).copied() {
            at += 1;
            for (_, target) in &wired[place].outgoing {
                left[*target as usize] -= 1;
                if left[*target as usize] == 0 {
                    order.push(*target as usize);
                }
            }
        }
        // Of what is left, what leads back to itself is a cycle; the rest comes after one.
        let mut turned: Vec<u32> = vec![0; left.len()];
        let is_left = |place: usize| left[place] > 0;
        for place in (0..left.len()).filter(|place| is_left(*place)) {
            let ways = wired[place].outgoing.iter().filter(|(_, target)| is_left(*target as usize));
            turned[place] = ways.count() as u32;
        }
        let mut sinks: Vec<usize> =
            (0..left.len()).filter(|place| is_left(*place) && turned[*place] == 0).collect();
        let mut sources: HashMap<usize, Vec<usize>> = HashMap::new();
        for place in (0..left.len()).filter(|place| is_left(*place)) {
            for (_, target) in &wired[place].outgoing {
                sources.entry(*target as usize).or_default().push(place);
            }
        }
        let mut outside: HashSet<usize> = sinks.iter().copied().collect();
        while let Some(place) = sinks.pop() {
            for source in sources.get(&place).into_iter().flatten() {
                turned[*source] -= 1;
                if turned[*source] == 0 && outside.insert(*source) {
                    sinks.push(*source);
                }
            }
        }
        for place in (0..left.len()).filter(|place| is_left(*place) && !outside.contains(place)) {
            let problem = "is in a cycle; what repeats is the body of a `while`";
            self.faults.node(&graph.nodes[place].key, "CYCLE", problem);
        }
        order
    }

    /// Inputs that are missing, and nodes that nothing reaches.
    fn reach(&mut self, graph: &Graph, seen: &[Seen], wired: &[Wired], order: &[usize]) {
        let mut reached = vec![false; graph.nodes.len()];
        for place in order {
            let Some(kind) = seen[*place].kind else { continue };
            let node = &graph.nodes[*place];
            let begins = kind.inputs().iter().all(|port| !port.required);
            reached[*place] |= begins;
            if !begins && wired[*place].incoming == 0 {
                let problem = "needs an edge; a workflow, and a body, begin with an `input`";
                self.faults.port(&node.key, IN, "MISSING_INPUT", problem);
                continue;
            }
            if !reached[*place] {
                self.faults.node(&node.key, "UNREACHABLE", "nothing that can begin leads to it");
                continue;
            }
            for (_, target) in &wired[*place].outgoing {
                reached[*target as usize] = true;
            }
        }
        if graph.nodes.is_empty() {
            self.faults.node("", "EMPTY", "the graph has no nodes");
        }
    }

    /// Retries and timeouts, properties that nobody knows, and secrets.
    fn common(&mut self, node: &Node, kind: &dyn Kind) -> (Retry, Option<std::time::Duration>) {
        let mut retry = if kind.acts() { Retry::default() } else { Retry::never() };
        if let Some(settings) = node.settings.get("retry") {
            match Retry::of(settings) {
                Ok(read) => retry = read,
                Err((path, problem)) => {
                    let path = if path.is_empty() { "retry".to_owned() } else { format!("retry.{path}") };
                    self.faults.property((&node.key, &path), "BAD_SETTING", problem);
                }
            }
        }
        let timeout = match node.settings.get("timeout").map(duration::parse) {
            None => None,
            Some(Ok(timeout)) => Some(timeout),
            Some(Err(problem)) => {
                self.faults.property((&node.key, "timeout"), "BAD_SETTING", problem);
                None
            }
        };
        let (known, _) = kind.settings();
        for name in node.settings.keys() {
            if known.get(name).is_none() && !COMMON.contains(&name.as_str()) {
                self.faults.add(Fault {
                    reason: "UNKNOWN_PROPERTY",
                    message: format!("a {:?} has no such setting", kind.name()),
                    node: node.key.clone(),
                    property: name.clone(),
                    warning: true,
                    ..Fault::default()
                });
            }
        }
        secrets(&node.key, "", &node.settings, self.faults);
        (retry, timeout)
    }

    /// Ports that its ways leave by.
    fn ways(&mut self, node: &Node, ways: &[(Arc<str>, u32)], (scope, place): (usize, usize)) {
        let planned = &self.scopes[scope].nodes[place];
        let behaviour: &dyn Behaviour = &*planned.behaviour;
        let more = behaviour.more_outputs();
        for (port, _) in ways {
            let is_known = planned.kind.outputs().iter().any(|output| output.name == &**port)
                || more.iter().any(|output| output.as_str() == &**port);
            if !is_known {
                self.faults.port(&node.key, port, "UNKNOWN_PORT", "has no such output");
            }
        }
    }

    /// Nodes whose outputs are named must be there, in the same body or around it.
    fn names(&mut self, graph: &Graph, seen: &[Seen], named: &[(usize, String, String)]) {
        let places: HashMap<&str, usize> =
            graph.nodes.iter().enumerate().map(|(place, node)| (node.key.as_str(), place)).collect();
        for (place, step, property) in named {
            let key = &graph.nodes[*place].key;
            let Some(other) = places.get(step.as_str()) else {
                let problem = format!("there is no node {step:?}");
                self.faults.property((key, property), "UNKNOWN_STEP", problem);
                continue;
            };
            let mut around = Some(seen[*place].parent);
            let mut depth = 0;
            while let Some(body) = around.filter(|body| *body != seen[*other].parent && depth <= DEPTH) {
                around = body.map(|node| seen[node].parent);
                depth += 1;
            }
            if around.is_none() || depth > DEPTH {
                let problem = format!("{step:?} is in a body that this node is not in");
                self.faults.property((key, property), "UNKNOWN_STEP", problem);
            }
        }
    }
}

#[derive(Clone, Default)]
struct Wired {
    incoming: u32,
    outgoing: Vec<(Arc<str>, u32)>,
}

fn fits(output: &Port, input: &Port) -> bool {
    output.value_type == "any" || input.value_type == "any" || output.value_type == input.value_type
}

/// Finds secrets that are written into settings, where everybody who may see the graph reads them.
fn secrets(node: &str, path: &str, settings: &Map<String, Json>, faults: &mut Faults) {
    const NAMES: [&str; 9] = [
        "authorization",
        "password",
        "passwd",
        "secret",
        "api_key",
        "apikey",
        "x-api-key",
        "access_token",
        "private_key",
    ];
    const BEGINNINGS: [&str; 9] =
        ["Bearer ", "Basic ", "sk_live_", "ghp_", "github_pat_", "xoxb-", "xoxp-", "AKIA", "-----BEGIN "];
    for (name, value) in settings {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match value {
            Json::Object(members) => secrets(node, &path, members, faults),
            Json::Array(values) => {
                for value in values.iter().filter_map(Json::as_object) {
                    secrets(node, &path, value, faults);
                }
            }
            Json::String(text) if !text.is_empty() && !text.contains("${") => {
                let is_named = NAMES.contains(&name.to_ascii_lowercase().as_str());
                // Certificates are for everybody to see.
                let is_public =
                    text.starts_with("-----BEGIN CERTIFICATE-----") && !text.contains("PRIVATE KEY");
                if is_public {
                    continue;
                }
                if is_named || BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)) {
                    let problem = "looks like a secret; whoever sees the graph reads it: keep it as a secret (`weft secrets set`)";
                    faults.property((node, &path), "SECRET_EMBEDDED", problem);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
pub(super) mod tests;
