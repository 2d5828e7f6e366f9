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
}

/// A part of a text.
#[derive(Debug)]
pub enum Part {
    /// As it stands.
    Literal(String),
    /// The value of an expression, as text.
    Value(Expression),
}

impl Template {
    /// Compiles a value whose expressions can name `names`; what is wrong is told with the path to it.
    pub fn compile(
        value: &Json,
        path: &str,
        names: &'static [&'static str],
        wrong: &mut dyn FnMut(&str, String),
    ) -> Self {
        match value {
            Json::String(text) => match text_of(text, names) {
                Ok(template) => template,
                Err(problem) => {
                    wrong(path, problem);
                    Self::Literal(Json::Null)
                }
            },
            Json::Array(values) => {
                let compile = |(at, value): (usize, &Json)| {
                    Self::compile(value, &format!("{path}[{at}]"), names, wrong)
                };
                let parts: Vec<Self> = values.iter().enumerate().map(compile).collect();
                if parts.iter().all(Self::is_literal) {
                    return Self::Literal(Json::Array(parts.into_iter().map(Self::into_literal).collect()));
                }
                Self::List(parts)
            }
            Json::Object(members) => {
                let compile = |(name, value): (&String, &Json)| {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    (name.clone(), Self::compile(value, &path, names, wrong))
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
                        Part::Value(expression) => match expression.evaluate(variables)? {
                            Json::String(value) => text.push_str(&value),
                            Json::Null => {}
                            other => text.push_str(&other.to_string()),
                        },
                    }
                }
                Json::String(text)
            }
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
            Self::Literal(_) => {}
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

fn text_of(text: &str, names: &'static [&'static str]) -> Result<Template, String> {
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
        parts.push(Part::Value(Expression::compile(&body[..end], names)?));
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
        },
        _ => Template::Text(parts),
    })
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
