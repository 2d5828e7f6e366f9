//! Does a filter make sense for this kind of record? Names, operators and values are checked once,
//! before anything is compared.

use std::borrow::Cow;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    FilterError, Record,
    eval::{Node, Test, Value, matches},
    lexer::Operator,
    parser::{Comparison, Tree, parse},
};

/// The fields of a kind of record.
#[derive(Debug)]
pub struct Schema {
    /// Names and kinds. Their places are what [`Record::visit`] is asked for.
    pub fields: &'static [(&'static str, Kind)],
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// A number.
    Number,
    /// An instant; compared with a text in RFC 3339.
    Time,
    /// Texts by name, one level.
    Map,
    /// Any JSON object.
    Object,
    /// One of a few names; letter case does not count.
    Name,
}

/// A filter that can be evaluated.
#[derive(Clone, Debug, Default)]
pub struct Filter(Option<Node>);

impl Filter {
    /// Reads a filter for records of a schema. An empty one matches everything.
    ///
    /// # Errors
    /// Where it is wrong and why.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, FilterError> {
        parse(text)?.map(|tree| check(tree, schema)).transpose().map(Self)
    }

    /// Whether it matches everything without looking.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a record matches.
    pub fn matches(&self, record: &dyn Record) -> bool {
        self.0.as_ref().is_none_or(|node| matches(node, record))
    }
}

fn check(tree: Tree, schema: &Schema) -> Result<Node, FilterError> {
    let all =
        |trees: Vec<Tree>| trees.into_iter().map(|tree| check(tree, schema)).collect::<Result<Vec<_>, _>>();
    Ok(match tree {
        Tree::And(trees) => Node::And(all(trees)?),
        Tree::Or(trees) => Node::Or(all(trees)?),
        Tree::Not(tree) => Node::Not(Box::new(check(*tree, schema)?)),
        Tree::Word { text, .. } => Node::Word(text.to_lowercase()),
        Tree::Compare(comparison) => Node::Test(check_comparison(comparison, schema)?),
    })
}

fn check_comparison(comparison: Comparison, schema: &Schema) -> Result<Test, FilterError> {
    let Comparison { mut path, position, operator, value, value_position } = comparison;
    let name = path.remove(0);
    let Some(field) = schema.fields.iter().position(|(known, _)| *known == name) else {
        let names: Vec<_> = schema.fields.iter().map(|(name, _)| *name).collect();
        let reason = format!("there is no field {name:?}; there are {}", names.join(", "));
        return Err(FilterError { position, reason });
    };
    let kind = schema.fields[field].1;
    let wrong =
        |position, reason: Cow<'static, str>| Err(FilterError { position, reason: reason.into_owned() });
    match (kind, path.len()) {
        (Kind::Map, 1) | (Kind::Object, 1..) => {}
        (Kind::Map | Kind::Object, 0) if operator == Operator::Has => {
            // `properties:section` asks for the property, as `properties.section:*` does.
            path.push(value.text);
            return Ok(Test { field, path, operator, value: Value::Anything });
        }
        (Kind::Map, _) => return wrong(position, format!("write {name}.KEY").into()),
        (Kind::Object, _) => return wrong(position, format!("write {name}.PATH").into()),
        (_, 0) => {}
        _ => return wrong(position, format!("{name} has no parts").into()),
    }
    let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual | Operator::Has);
    if ordered && matches!(kind, Kind::Texts | Kind::Name) {
        return wrong(value_position, format!("{name} has no order; use =, != or :").into());
    }
    let value = match kind {
        _ if operator == Operator::Has && value.text == "*" && !value.quoted => Value::Anything,
        Kind::Number => match value.text.parse::<f64>() {
            Ok(number) if number.is_finite() && !value.quoted => Value::Number(number),
            _ => return wrong(value_position, format!("{name} is compared with a number").into()),
        },
        Kind::Time => {
            let Ok(time) = OffsetDateTime::parse(&value.text, &Rfc3339) else {
                let reason = format!("{name} is compared with a time such as \"2026-01-31T12:00:00Z\"");
                return wrong(value_position, reason.into());
            };
            Value::Number((time.unix_timestamp_nanos() / 1000) as f64)
        }
        Kind::Object if !value.quoted => Value::any_kind(value.text),
        Kind::Text | Kind::Texts | Kind::Map | Kind::Object => Value::text(value.text),
        Kind::Name => Value::text(value.text.to_lowercase()),
    };
    Ok(Test { field, path, operator, value })
}
