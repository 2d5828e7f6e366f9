//! Settings with expressions in them: `"${input.id}"` is the value itself, `"order ${input.id}"` a text with it,
//! `"$${"` a text that begins with `${`.

use serde_json::{Map, Value as Json};

use crate::{Expression, Failure, Variables};

/// A JSON value, parts of which are known only when its step begins.
#[derive(Debug)]
pub enum Template {
    /// The same whatever happens.
    Literal(Json),
    /// The value of an expression, whatever it is.
    Value(Expression),
    /// A text with values in it.
    Text(Vec<Part>),
    /// A list, some elements of which have expressions.
    List(Vec<Template>),
    /// An object, some members of which have expressions.
    Object(Vec<(String, Template)>),
    /// What stands for a secret.
    Secret(String),
}

/// A part of a text.
#[derive(Debug)]
pub enum Part {
    /// As it stands.
    Literal(String),
    /// The value of an expression, as text.
    Value(Expression),
    /// What stands for a secret.
    Secret(String),
}

/// What a template can name.
#[derive(Clone, Copy)]
struct Scope {
    names: &'static [&'static str],
    secrets: bool,
}

impl Template {
    /// Compiles a value whose expressions can name `names`; what is wrong is told with the path to it.
    pub fn compile(
        value: &Json,
        path: &str,
        names: &'static [&'static str],
        wrong: &mut dyn FnMut(&str, String),
    ) -> Self {
        Self::within(value, path, Scope { names, secrets: false }, wrong)
    }

    /// The same of a value that may name secrets besides: `${secrets.name}`, `${secrets["a-name"]}`. A secret stands
    /// alone between its braces: it is no value that an expression could be about, so that none can look into it.
    pub fn compile_with_secrets(
        value: &Json,
        path: &str,
        names: &'static [&'static str],
        wrong: &mut dyn FnMut(&str, String),
    ) -> Self {
        Self::within(value, path, Scope { names, secrets: true }, wrong)
    }

    fn within(value: &Json, path: &str, scope: Scope, wrong: &mut dyn FnMut(&str, String)) -> Self {
        match value {
            Json::String(text) => match text_of(text, scope) {
                Ok(template) => template,
                Err(problem) => {
                    wrong(path, problem);
                    Self::Literal(Json::Null)
                }
            },
            Json::Array(values) => {
                let compile =
                    |(at, value): (usize, &Json)| Self::within(value, &format!("{path}[{at}]"), scope, wrong);
                let parts: Vec<Self> = values.iter().enumerate().map(compile).collect();
                if parts.iter().all(Self::is_literal) {
                    return Self::Literal(Json::Array(parts.into_iter().map(Self::into_literal).collect()));
                }
                Self::List(parts)
            }
            Json::Object(members) => {
                let compile = |(name, value): (&String, &Json)| {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    (name.clone(), Self::within(value, &path, scope, wrong))
                };
                let parts: Vec<(String, Self)> = members.iter().map(compile).collect();
                if parts.iter().all(|(_, part)| part.is_literal()) {
                    let members = parts.into_iter().map(|(name, part)| (name, part.into_literal()));
                    return Self::Literal(Json::Object(members.collect()));
                }
                Self::Object(parts)
            }
            other => Self::Literal(other.clone()),
        }
    }

    /// Whether it is the same whatever happens.
    pub fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    fn into_literal(self) -> Json {
        match self {
            Self::Literal(value) => value,
            _ => Json::Null,
        }
    }

    /// Its value.
    pub fn fill(&self, variables: &dyn Variables) -> Result<Json, Failure> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Value(expression) => expression.evaluate(variables)?,
            Self::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Literal(literal) => text.push_str(literal),
                        Part::Secret(name) => text.push_str(&variables.secret(name)),
                        Part::Value(expression) => match expression.evaluate(variables)? {
                            Json::String(value) => text.push_str(&value),
                            Json::Null => {}
                            other => text.push_str(&other.to_string()),
                        },
                    }
                }
                Json::String(text)
            }
            Self::Secret(name) => Json::String(variables.secret(name)),
            Self::List(parts) => {
                Json::Array(parts.iter().map(|part| part.fill(variables)).collect::<Result<_, _>>()?)
            }
            Self::Object(parts) => {
                let member = |(name, part): &(String, Self)| Ok((name.clone(), part.fill(variables)?));
                Json::Object(parts.iter().map(member).collect::<Result<Map<_, _>, Failure>>()?)
            }
        })
    }

    /// Every expression in it.
    pub fn expressions(&self, each: &mut dyn FnMut(&Expression)) {
        match self {
            Self::Literal(_) | Self::Secret(_) => {}
            Self::Value(expression) => each(expression),
            Self::Text(parts) => parts.iter().for_each(|part| {
                if let Part::Value(expression) = part {
                    each(expression);
                }
            }),
            Self::List(parts) => parts.iter().for_each(|part| part.expressions(each)),
            Self::Object(parts) => parts.iter().for_each(|(_, part)| part.expressions(each)),
        }
    }
}

fn text_of(text: &str, scope: Scope) -> Result<Template, String> {
    let mut parts = Vec::new();
    let (mut literal, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            literal.push_str(&rest[..at]);
            literal.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        literal.push_str(&rest[..at]);
        let body = &rest[at + 2..];
        let end = end_of(body).ok_or("has a ${ without its }")?;
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(part_of(&body[..end], scope)?);
        rest = &body[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(match parts.len() {
        0 => Template::Literal(Json::String(String::new())),
        1 => match parts.remove(0) {
            Part::Literal(literal) => Template::Literal(Json::String(literal)),
            Part::Value(expression) => Template::Value(expression),
            Part::Secret(name) => Template::Secret(name),
        },
        _ => Template::Text(parts),
    })
}

fn part_of(body: &str, scope: Scope) -> Result<Part, String> {
    let body = body.trim();
    let Some(rest) = body.strip_prefix("secrets").filter(|_| scope.secrets) else {
        return Expression::compile(body, scope.names).map(Part::Value).map_err(|problem| {
            let hint = "; a secret stands alone: ${secrets.name}";
            let about = if scope.secrets && body.contains("secrets") { hint } else { "" };
            format!("{problem}{about}")
        });
    };
    let quoted = |quote: char| {
        rest.strip_prefix('[')?.strip_suffix(']')?.trim().strip_prefix(quote)?.strip_suffix(quote)
    };
    let name = rest.strip_prefix('.').or_else(|| quoted('"')).or_else(|| quoted('\''));
    let name = name.ok_or("a secret stands alone: ${secrets.name}, or ${secrets[\"a-name\"]}")?;
    let is_name = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
    let is_good = (1..=63).contains(&name.len()) && name.bytes().all(is_name);
    if !is_good || name.starts_with('-') || name.ends_with('-') {
        return Err(format!("no secret is called {name:?}: lower-case letters, digits and hyphens"));
    }
    Ok(Part::Secret(name.to_owned()))
}

/// Where an expression ends: at the first brace that closes none of its own and is in no text.
fn end_of(body: &str) -> Option<usize> {
    let (mut depth, mut quote, mut escaped) = (0_u32, None, false);
    for (at, c) in body.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None => match c {
                '\'' | '"' => quote = Some(c),
                '{' => depth += 1,
                '}' if depth == 0 => return Some(at),
                '}' => depth -= 1,
                _ => {}
            },
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    struct World(Json);

    impl Variables for World {
        fn variable(&self, name: &str) -> Option<Arc<Json>> {
            self.0.get(name).cloned().map(Arc::new)
        }
        fn step(&self, _key: &str) -> Option<Arc<Json>> {
            None
        }
        fn secret(&self, name: &str) -> String {
            format!("<{name}>")
        }
    }

    #[test]
    fn a_secret_stands_alone() {
        let compiled = |value: Json| {
            let mut wrong = Vec::new();
            let template =
                Template::compile_with_secrets(&value, "", &["input"], &mut |_, problem| wrong.push(problem));
            if wrong.is_empty() { template.fill(&World(json!({"input": {"a": 1}}))).ok() } else { None }
        };
        let named = json!({"a": "Bearer ${ secrets.github }!", "b": ["${secrets[\"a-b\"]}${secrets['c']}"], "c": "${input.a}"});
        let filled = json!({"a": "Bearer <github>!", "b": ["<a-b><c>"], "c": 1});
        assert_eq!(compiled(named), Some(filled));
        // Nothing can look into one: an error would show what stands for it.
        for text in [
            "${input[secrets.a]}",
            "${bytes(secrets.a)}",
            "${ {secrets.a: 1} }",
            "${secrets.a.size()}",
            "${secrets.a == 'x'}",
            "${secrets.a + 'x'}",
            "${[secrets.a]}",
            "${secrets}",
            "${secrets[input.a]}",
            "${secrets.A}",
            "${secrets['-a']}",
            "${secrets.a.b}",
        ] {
            assert_eq!(compiled(json!(text)), None, "{text}");
        }
        // Where they may not be named they are not there.
        let mut wrong = Vec::new();
        Template::compile(&json!("${secrets.a}"), "", &["input"], &mut |_, problem| wrong.push(problem));
        assert_eq!(wrong.len(), 1);
    }

    #[test]
    fn values_and_texts_are_filled() {
        let mut wrong = Vec::new();
        let template = Template::compile(
            &json!({
                "whole": "${input.list}", "text": "n is ${input.n}, ${input.gone_not}", "plain": "a $ b",
                "brace": "$${x}", "object": "${ {'a': '}', 'n': input.n} }", "deep": [{"x": "${input.n + 1}"}, 5],
            }),
            "",
            &["input"],
            &mut |path, problem| wrong.push((path.to_owned(), problem)),
        );
        assert!(wrong.is_empty(), "{wrong:?}");
        let world = World(json!({"input": {"n": 2, "list": [1, 2], "gone_not": null}}));
        let expected = json!({
            "whole": [1, 2], "text": "n is 2, ", "plain": "a $ b", "brace": "${x}",
            "object": {"a": "}", "n": 2}, "deep": [{"x": 3}, 5],
        });
        assert_eq!(template.fill(&world).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_has_a_path() {
        let mut wrong = Vec::new();
        let value = json!({"a": ["ok", "${ 1 +"], "b": {"c": "${nobody}"}});
        Template::compile(&value, "", &["input"], &mut |path, _| wrong.push(path.to_owned()));
        assert_eq!(wrong, ["a[1]", "b.c"]);
    }
}
