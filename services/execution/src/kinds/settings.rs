//! The settings of one node, as its kind reads them.

use serde_json::{Map, Value as Json};

use crate::domain::{
    address, duration,
    expression::{Expression, VARIABLES},
    fault::Faults,
    secret,
    template::Template,
};

/// The settings of one node, and what is wrong with them.
pub(crate) struct Settings<'a> {
    node: &'a str,
    all: &'a Map<String, Json>,
    faults: &'a mut Faults,
    /// The nodes whose outputs are named, and where.
    pub(crate) steps: Vec<(String, String)>,
}

impl<'a> Settings<'a> {
    pub(crate) fn new(node: &'a str, all: &'a Map<String, Json>, faults: &'a mut Faults) -> Self {
        Self { node, all, faults, steps: Vec::new() }
    }

    /// A setting as it stands.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Json> {
        self.all.get(name)
    }

    /// Notes that a setting is wrong.
    pub(crate) fn wrong(&mut self, name: &str, problem: impl Into<String>) {
        self.faults.property((self.node, name), "BAD_SETTING", problem);
    }

    fn need(&mut self, name: &str) -> Option<&'a Json> {
        let found = self.all.get(name);
        if found.is_none() {
            self.faults.property((self.node, name), "MISSING_SETTING", format!("needs `{name}`"));
        }
        found
    }

    /// An expression that must be there.
    pub(crate) fn expression(&mut self, name: &str) -> Option<Expression> {
        let text = self.need(name)?;
        self.compile(name, text)
    }

    /// An expression that is somewhere in the settings.
    pub(crate) fn compile(&mut self, name: &str, text: &Json) -> Option<Expression> {
        let Some(text) = text.as_str() else {
            self.wrong(name, "must be an expression, as a text");
            return None;
        };
        match Expression::compile(text, VARIABLES) {
            Ok(expression) => {
                self.names(name, &expression);
                Some(expression)
            }
            Err(problem) => {
                self.faults.property((self.node, name), "BAD_EXPRESSION", problem);
                None
            }
        }
    }

    fn names(&mut self, name: &str, expression: &Expression) {
        self.steps.extend(expression.steps().iter().map(|step| (step.clone(), name.to_owned())));
    }

    /// A value with expressions in it that must be there.
    pub(crate) fn template(&mut self, name: &str) -> Template {
        match self.need(name) {
            Some(value) => self.fill(name, value, false),
            None => Template::Literal(Json::Null),
        }
    }

    /// A value that must be there, as in [`Self::outward`].
    fn need_outward(&mut self, name: &str) -> Template {
        match self.need(name) {
            Some(value) => self.fill(name, value, true),
            None => Template::Literal(Json::Null),
        }
    }

    /// A value with expressions in it, or what it is otherwise.
    pub(crate) fn template_or(&mut self, name: &str, otherwise: Json) -> Template {
        match self.all.get(name) {
            Some(value) => self.fill(name, value, false),
            None => Template::Literal(otherwise),
        }
    }

    /// A value with expressions in it, which may name secrets, or what it is otherwise. What it is filled with must go
    /// where nothing is kept of it.
    pub(crate) fn outward(&mut self, name: &str, otherwise: Json) -> Template {
        match self.all.get(name) {
            Some(value) => self.fill(name, value, true),
            None => Template::Literal(otherwise),
        }
    }

    fn fill(&mut self, name: &str, value: &Json, secrets: bool) -> Template {
        let (faults, node) = (&mut *self.faults, self.node);
        let compile = if secrets { Template::compile_with_secrets } else { Template::compile };
        let template = compile(value, name, VARIABLES, &mut |path, problem| {
            faults.property((node, path), "BAD_EXPRESSION", problem);
        });
        let mut steps = Vec::new();
        template.expressions(&mut |expression| steps.extend_from_slice(expression.steps()));
        self.steps.extend(steps.into_iter().map(|step| (step, name.to_owned())));
        template
    }

    /// An address that must be there, with secrets in it as in [`Self::outward`].
    pub(crate) fn address(&mut self, name: &str) -> Template {
        let url = self.need_outward(name);
        if let Template::Literal(Json::String(text)) = &url
            && let Err(problem) = address::read(text)
        {
            self.wrong(name, problem.message);
        }
        url
    }

    /// An address that must be there, which is a secret and nothing else.
    pub(crate) fn address_in_secret(&mut self, name: &str) -> Template {
        let address = self.need_outward(name);
        let text = self.all.get(name).and_then(Json::as_str).unwrap_or_default();
        if self.all.contains_key(name) && !secret::is_one(text) {
            self.wrong(name, "must be the name of a secret that has it, and nothing else: ${secrets.name}");
        }
        address
    }

    /// A text without expressions that must be there.
    pub(crate) fn text(&mut self, name: &str) -> String {
        match self.need(name).map(Json::as_str) {
            Some(Some(text)) => text.to_owned(),
            Some(None) => {
                self.wrong(name, "must be a text");
                String::new()
            }
            None => String::new(),
        }
    }

    /// A whole number within bounds, or what it is otherwise.
    pub(crate) fn number(&mut self, name: &str, otherwise: u64, (least, most): (u64, u64)) -> u64 {
        let Some(value) = self.all.get(name) else { return otherwise };
        if let Some(number) = value.as_u64().filter(|number| (least..=most).contains(number)) {
            return number;
        }
        self.wrong(name, format!("must be a whole number from {least} to {most}"));
        otherwise
    }

    /// Whether it is so; not, where nothing is said.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        match self.all.get(name) {
            None => false,
            Some(Json::Bool(flag)) => *flag,
            Some(_) => {
                self.wrong(name, "must be true or false");
                false
            }
        }
    }

    /// A span, where one is given, in microseconds.
    pub(crate) fn span(&mut self, name: &str) -> Option<i64> {
        match duration::parse(self.all.get(name)?) {
            Ok(span) => Some(span.as_micros() as i64),
            Err(problem) => {
                self.wrong(name, problem);
                None
            }
        }
    }

    /// A JSON Schema, where one is given.
    pub(crate) fn schema(&mut self, name: &str) -> Json {
        let Some(schema) = self.all.get(name) else { return Json::Null };
        if let Err(error) = jsonschema::validator_for(schema) {
            self.wrong(name, format!("is no JSON Schema: {error}"));
        }
        schema.clone()
    }
}
