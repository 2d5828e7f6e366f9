//! Expressions of the Common Expression Language (CEL), bounded before they are run.
//!
//! CEL always ends, but not always soon: what a comprehension inside a comprehension costs is the product of their
//! lists. There is no counter in the evaluator that could stop it, so the cost is bounded from what is known before:
//! how deep comprehensions are nested, and how much the expression is given.

use std::sync::{Arc, LazyLock};

use cel::{
    Context, Env, Value,
    common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue},
    parser::PrattParser,
};
use serde_json::Value as Json;

use crate::Failure;

/// Longest expression, in bytes.
const LONGEST: usize = 8 << 10;
/// Deepest nesting that is read.
const DEEPEST: u16 = 48;
/// Largest expression, in nodes of its tree.
const LARGEST: usize = 2_000;
/// Comprehensions inside each other.
const NESTED: u32 = 3;
/// Most rounds that all comprehensions of one evaluation may come to.
const ROUNDS: f64 = 1e6;
/// Most bytes of what an expression is given, times the places that use it.
const BYTES: usize = 64 << 20;

/// Names of types, which an expression may convert to and ask for.
const TYPES: [&str; 10] =
    ["int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"];

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// An expression that compiles.
#[derive(Debug)]
pub struct Expression {
    source: String,
    tree: IdedExpr,
    /// The variables that it names, but `steps`.
    variables: Vec<&'static str>,
    /// The nodes whose outputs it names: `steps.fetch`, `steps["fetch"]`.
    steps: Vec<String>,
    /// Comprehensions inside each other.
    nested: u32,
    /// How often it names a variable.
    uses: usize,
}

/// What an expression is evaluated with.
pub trait Variables {
    /// The value of a variable; nothing where it has none here.
    fn variable(&self, name: &str) -> Option<Arc<Json>>;
    /// What the node of that key gave; nothing where it did not run.
    fn step(&self, key: &str) -> Option<Arc<Json>>;
    /// What stands for the secret of that name in what is filled ([`crate::Template::compile_with_secrets`]).
    fn secret(&self, _name: &str) -> String {
        String::new()
    }
}

impl Expression {
    /// Compiles it, or says what is wrong. `names` are those of the variables that there are; `steps`, if it is among
    /// them, is an object of which only its members can be named.
    pub fn compile(source: &str, names: &'static [&'static str]) -> Result<Self, String> {
        if source.len() > LONGEST {
            return Err(format!("is {} bytes long; {LONGEST} is the most", source.len()));
        }
        let parser = PrattParser::default().max_recursion_depth(DEEPEST).max_expression_node_count(LARGEST);
        let tree = parser.parse(source).map_err(|errors| one_line(&errors.to_string()))?;
        let mut found = Found::of(names);
        found.visit(&tree, 0, &mut Vec::new())?;
        let Found { variables, steps, nested, uses, .. } = found;
        Ok(Self { source: source.to_owned(), tree, variables, steps, nested, uses })
    }

    /// The nodes whose outputs it names.
    pub fn steps(&self) -> &[String] {
        &self.steps
    }

    /// Its value.
    pub fn evaluate(&self, variables: &dyn Variables) -> Result<Json, Failure> {
        let failed = |problem: String| {
            Failure::new("EXPRESSION_FAILED", format!("{}: {}", self.source, one_line(&problem)))
        };
        let mut given = Given::default();
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        for name in &self.variables {
            if let Some(value) = variables.variable(name) {
                given.look(&value);
                context.add_variable_from_value(*name, cel_of(&value));
            }
        }
        if !self.steps.is_empty() {
            let mut outputs = std::collections::HashMap::new();
            for key in &self.steps {
                if let Some(value) = variables.step(key) {
                    given.look(&value);
                    outputs.insert(key.clone(), cel_of(&value));
                }
            }
            context.add_variable_from_value("steps", Value::from(outputs));
        }
        let longest = given.longest.max(self.source.len() / 2) as f64;
        let rounds = longest.powi(self.nested.cast_signed());
        if (self.nested > 1 && rounds > ROUNDS) || given.bytes.saturating_mul(self.uses.max(1)) > BYTES {
            let problem = "would take too long with as much as it is given";
            return Err(Failure::new("EXPRESSION_TOO_COSTLY", format!("{}: {problem}", self.source)));
        }
        let value = Value::resolve(&self.tree, &context).map_err(|error| failed(error.to_string()))?;
        value.json().map_err(|error| failed(error.to_string()))
    }

    /// Its value, which must be true or false.
    pub fn holds(&self, variables: &dyn Variables) -> Result<bool, Failure> {
        match self.evaluate(variables)? {
            Json::Bool(holds) => Ok(holds),
            other => Err(Failure::new(
                "EXPRESSION_FAILED",
                format!("{}: is {}, not true or false", self.source, kind_of(&other)),
            )),
        }
    }
}

/// What JSON calls it.
pub fn kind_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A JSON value as CEL has it.
fn cel_of(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(whole)) => Value::UInt(whole),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(Arc::new(text.clone())),
        Json::Array(values) => Value::List(Arc::new(values.iter().map(cel_of).collect())),
        Json::Object(members) => {
            let members: std::collections::HashMap<String, Value> =
                members.iter().map(|(name, value)| (name.clone(), cel_of(value))).collect();
            Value::from(members)
        }
    }
}

/// How much an expression is given.
#[derive(Default)]
struct Given {
    bytes: usize,
    /// Length of the longest list, object or text.
    longest: usize,
}

impl Given {
    fn look(&mut self, value: &Json) {
        let length = match value {
            Json::String(text) => text.len(),
            Json::Array(values) => {
                for value in values {
                    self.look(value);
                }
                values.len()
            }
            Json::Object(members) => {
                for (name, value) in members {
                    self.bytes += name.len();
                    self.look(value);
                }
                members.len()
            }
            _ => 1,
        };
        self.bytes += length + 8;
        if !matches!(value, Json::String(_)) {
            self.longest = self.longest.max(length);
        }
    }
}

/// What an expression is made of.
#[derive(Default)]
struct Found {
    /// What it can name.
    names: &'static [&'static str],
    variables: Vec<&'static str>,
    steps: Vec<String>,
    nested: u32,
    uses: usize,
    /// Nodes of the tree.
    nodes: usize,
}

impl Found {
    fn of(names: &'static [&'static str]) -> Self {
        Self { names, ..Self::default() }
    }

    fn visit<'t>(&mut self, tree: &'t IdedExpr, nested: u32, bound: &mut Vec<&'t str>) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > LARGEST {
            return Err(format!("has more than {LARGEST} parts"));
        }
        if let Some(step) = step_named(&tree.expr)
            && self.names.contains(&"steps")
            && !bound.contains(&"steps")
        {
            self.uses += 1;
            if !self.steps.contains(&step) {
                self.steps.push(step);
            }
            return Ok(());
        }
        match &tree.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.named(name, bound),
            Expr::Select(select) => self.visit(&select.operand, nested, bound),
            Expr::Call(call) => {
                if let Some(target) = &call.target {
                    self.visit(target, nested, bound)?;
                }
                call.args.iter().try_for_each(|argument| self.visit(argument, nested, bound))
            }
            Expr::List(list) => {
                list.elements.iter().try_for_each(|element| self.visit(element, nested, bound))
            }
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.visit(&entry.key, nested, bound)?;
                    self.visit(&entry.value, nested, bound)
                }
                EntryExpr::StructField(field) => self.visit(&field.value, nested, bound),
            }),
            Expr::Struct(_) => Err("there are no message types here".to_owned()),
            Expr::Comprehension(comprehension) => {
                self.visit(&comprehension.iter_range, nested, bound)?;
                let nested = nested + 1;
                self.nested = self.nested.max(nested);
                if nested > NESTED {
                    return Err(format!("has more than {NESTED} comprehensions inside each other"));
                }
                self.visit(&comprehension.accu_init, nested, bound)?;
                let before = bound.len();
                bound.extend([comprehension.iter_var.as_str(), comprehension.accu_var.as_str()]);
                bound.extend(comprehension.iter_var2.as_deref());
                self.visit(&comprehension.loop_cond, nested, bound)?;
                self.visit(&comprehension.loop_step, nested, bound)?;
                self.visit(&comprehension.result, nested, bound)?;
                bound.truncate(before);
                Ok(())
            }
        }
    }

    fn named(&mut self, name: &str, bound: &[&str]) -> Result<(), String> {
        if bound.contains(&name) {
            return Ok(());
        }
        if name == "steps" && self.names.contains(&name) {
            return Err("name the step: steps.key or steps[\"key\"]".to_owned());
        }
        if let Some(known) = self.names.iter().find(|known| **known == name) {
            self.uses += 1;
            if !self.variables.contains(known) {
                self.variables.push(known);
            }
            return Ok(());
        }
        if TYPES.contains(&name) {
            return Ok(());
        }
        Err(format!("there is no {name}; there are {}", self.names.join(", ")))
    }
}

/// The key in `steps.key` or `steps["key"]`.
fn step_named(expr: &Expr) -> Option<String> {
    let is_steps = |expr: &Expr| matches!(expr, Expr::Ident(name) if name == "steps");
    match expr {
        Expr::Select(select) if is_steps(&select.operand.expr) => Some(select.field.clone()),
        Expr::Call(call) if call.func_name == "_[_]" && call.args.len() == 2 => {
            let literal = match &call.args[1].expr {
                Expr::Literal(LiteralValue::String(text)) => text.inner().to_owned(),
                _ => return None,
            };
            is_steps(&call.args[0].expr).then_some(literal)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NAMES: [&str; 2] = ["input", "steps"];

    struct World(Json);

    impl Variables for World {
        fn variable(&self, name: &str) -> Option<Arc<Json>> {
            self.0.get(name).cloned().map(Arc::new)
        }
        fn step(&self, key: &str) -> Option<Arc<Json>> {
            self.0["steps"].get(key).cloned().map(Arc::new)
        }
    }

    fn value(source: &str, world: Json) -> Result<Json, String> {
        let expression = Expression::compile(source, &NAMES)?;
        expression.evaluate(&World(world)).map_err(|error| error.reason.to_owned())
    }

    #[test]
    fn expressions_have_values() {
        let world =
            json!({"input": {"n": 3, "name": "Ada", "list": [1, 2, 3]}, "steps": {"a b": {"x": 5}, "c": 1}});
        for (source, expected) in [
            ("input.n * 2 + 1", json!(7)),
            ("input.name + '!'", json!("Ada!")),
            ("input.list.filter(x, x > 1).map(x, x * x)", json!([4, 9])),
            ("steps[\"a b\"].x + steps.c", json!(6)),
            ("has(input.gone) ? 1 : 2", json!(2)),
            ("has(steps.gone) ? 1 : 2", json!(2)),
            ("{'a': input.n, 'b': [true, null, 1.5]}", json!({"a": 3, "b": [true, null, 1.5]})),
            ("input.name.startsWith('A') && input.n in [1, 3]", json!(true)),
            ("size(input.list) > 2 ? 'many' : 'few'", json!("many")),
        ] {
            assert_eq!(value(source, world.clone()), Ok(expected), "{source}");
        }
        assert_eq!(value("input.gone", world.clone()), Err("EXPRESSION_FAILED".into()));
        assert_eq!(value("1 / 0", world), Err("EXPRESSION_FAILED".into()));
    }

    #[test]
    fn what_names_nothing_does_not_compile() {
        for source in ["nobody.x", "steps", "steps.exists(s, true)", "input.", "1 +", "", "Thing{a: 1}"] {
            assert!(Expression::compile(source, &NAMES).is_err(), "{source}");
        }
        assert!(Expression::compile("[1].map(nobody, nobody + 1)", &NAMES).is_ok());
    }

    #[test]
    fn bombs_are_refused() {
        let deep = format!("{}1{}", "(".repeat(4_000), ")".repeat(4_000));
        let negated = format!("{}true", "!".repeat(8_000));
        let nots = "- ".repeat(4_000) + "1";
        let long = "1 + ".repeat(3_000) + "1";
        let wide = format!("[{}]", "1,".repeat(4_000));
        let four = "[1].map(a, [1].map(b, [1].map(c, [1].map(d, a))))";
        for source in [&long[..], &wide, four] {
            assert!(Expression::compile(source, &NAMES).is_err(), "{source}");
        }
        // However they are read, nothing falls over.
        for source in [&deep[..], &negated, &nots] {
            drop(Expression::compile(source, &NAMES));
        }
        let many = json!({"input": vec![1; 2_000]});
        let square = "input.map(a, input.map(b, a * b)).size()";
        assert_eq!(value(square, many), Err("EXPRESSION_TOO_COSTLY".into()));
        let large = json!({"input": "x".repeat(1 << 20)});
        let doubled = format!("({}).size()", ["input"; 100].join(" + "));
        assert_eq!(value(&doubled, large), Err("EXPRESSION_TOO_COSTLY".into()));
    }
}
