//! Turns `buf.validate` rules into Rust: one `impl Validate` for each message of the mesh.
//!
//! A rule that this generator does not know fails the build: none is ever skipped in silence.

use std::fmt::Write;

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor,
    ReflectMessage, Value,
};

use crate::Result;

/// The code of all implementations.
pub(crate) fn generate(pool: &DescriptorPool) -> Result<String> {
    let mut code = String::new();
    for message in pool.all_messages().filter(|message| is_ours(message) && !message.is_map_entry()) {
        let body =
            message_body(pool, &message).map_err(|error| format!("{}: {error}", message.full_name()))?;
        let (violations, this) = if body.is_empty() { ("_", "") } else { ("violations", "") };
        writeln!(
            code,
            "impl crate::Validate for {} {{\n#[allow(unused_variables)]\nfn check(&self, {violations}: &mut crate::Violations) {{{this}\n{body}}}\n}}",
            rust_path(&message)
        )?;
    }
    Ok(code)
}

fn is_ours(message: &MessageDescriptor) -> bool {
    message.package_name().starts_with("weft.")
}

fn message_body(pool: &DescriptorPool, message: &MessageDescriptor) -> Result<String> {
    let mut body = String::new();
    for field in message.fields().filter(|field| real_oneof(field).is_none()) {
        field_check(pool, &field, &mut body).map_err(|error| format!("{}: {error}", field.name()))?;
    }
    for oneof in message.oneofs().filter(|oneof| !is_synthetic(oneof)) {
        oneof_check(pool, message, &oneof, &mut body)
            .map_err(|error| format!("{}: {error}", oneof.name()))?;
    }
    Ok(body)
}

fn field_check(pool: &DescriptorPool, field: &FieldDescriptor, body: &mut String) -> Result<()> {
    let mut rules = rules_of(pool, field)?;
    let name = rust_name(field.name());
    let mut inner = String::new();
    if field.is_map() {
        map_checks(&mut rules, &name, &mut inner)?;
    } else if field.is_list() {
        list_checks(&mut rules, field, &name, &mut inner)?;
    } else if field.supports_presence() || matches!(field.kind(), Kind::Message(_)) {
        let required = rules.take_bool("required");
        let checks = value_checks(&mut rules, &field.kind(), "value")?;
        if !checks.is_empty() {
            writeln!(inner, "if let Some(value) = &self.{name} {{\n{checks}}}")?;
        }
        if required {
            writeln!(
                inner,
                "if self.{name}.is_none() {{ violations.add(\"required\", \"must be given\"); }}"
            )?;
        }
    } else {
        let only_if_set = rules.take_ignore_zero();
        let checks = value_checks(&mut rules, &field.kind(), "value")?;
        if !checks.is_empty() {
            let guard = if only_if_set { "if !crate::validate::is_zero(value) " } else { "" };
            writeln!(inner, "{{ let value = &self.{name}; {guard}{{\n{checks}}} }}")?;
        }
    }
    rules.finish()?;
    if !inner.is_empty() {
        writeln!(body, "violations.enter(\"{}\");\n{inner}violations.leave();", field.name())?;
    }
    Ok(())
}

fn list_checks(rules: &mut Rules, field: &FieldDescriptor, name: &str, code: &mut String) -> Result<()> {
    let mut list = rules.take_message("repeated");
    if let Some(list) = &mut list {
        for (rule, operator, text) in [("min_items", "<", "at least"), ("max_items", ">", "at most")] {
            if let Some(limit) = list.take_u64(rule) {
                writeln!(
                    code,
                    "if (self.{name}.len() as u64) {operator} {limit} {{ violations.add(\"repeated.{rule}\", \"must have {text} {limit} items\"); }}"
                )?;
            }
        }
        if list.take_bool("unique") {
            writeln!(
                code,
                "if self.{name}.iter().collect::<std::collections::BTreeSet<_>>().len() < self.{name}.len() {{ violations.add(\"repeated.unique\", \"must not have an item twice\"); }}"
            )?;
        }
    }
    let mut items = list.as_mut().and_then(|list| list.take_message("items")).unwrap_or_default();
    let checks = value_checks(&mut items, &field.kind(), "value")?;
    items.finish()?;
    if let Some(list) = list {
        list.finish()?;
    }
    if !checks.is_empty() {
        writeln!(
            code,
            "for (index, value) in self.{name}.iter().enumerate() {{\nif violations.is_full() {{ break; }}\nviolations.enter_index(index);\n{checks}violations.leave();\n}}"
        )?;
    }
    Ok(())
}

fn map_checks(rules: &mut Rules, name: &str, code: &mut String) -> Result<()> {
    let Some(mut map) = rules.take_message("map") else { return Ok(()) };
    if let Some(limit) = map.take_u64("max_pairs") {
        writeln!(
            code,
            "if (self.{name}.len() as u64) > {limit} {{ violations.add(\"map.max_pairs\", \"must have at most {limit} entries\"); }}"
        )?;
    }
    let mut checks = String::new();
    for (rule, variable) in [("keys", "key"), ("values", "value")] {
        if let Some(mut rules) = map.take_message(rule) {
            checks.push_str(&value_checks(&mut rules, &Kind::String, variable)?);
            rules.finish()?;
        }
    }
    map.finish()?;
    writeln!(
        code,
        "for (key, value) in &self.{name} {{\nif violations.is_full() {{ break; }}\nviolations.enter_key(key);\n{checks}violations.leave();\n}}"
    )?;
    Ok(())
}

fn oneof_check(
    pool: &DescriptorPool,
    message: &MessageDescriptor,
    oneof: &OneofDescriptor,
    body: &mut String,
) -> Result<()> {
    let mut rules = oneof_rules(pool, oneof)?;
    let required = rules.take_bool("required");
    rules.finish()?;
    let enumeration =
        format!("{}::{}::{}", parent_path(message), snake(message.name()), pascal(oneof.name()));
    writeln!(body, "match &self.{} {{", rust_name(oneof.name()))?;
    for field in oneof.fields() {
        let mut rules = rules_of(pool, &field)?;
        let checks = value_checks(&mut rules, &field.kind(), "value")?;
        rules.finish()?;
        if !checks.is_empty() {
            writeln!(
                body,
                "Some({enumeration}::{}(value)) => {{\nviolations.enter(\"{}\");\n{checks}violations.leave();\n}}",
                pascal(field.name()),
                field.name()
            )?;
        }
    }
    if required {
        writeln!(
            body,
            "None => {{ violations.enter(\"{}\"); violations.add(\"required\", \"one of its fields must be given\"); violations.leave(); }}",
            oneof.name()
        )?;
    }
    body.push_str("#[allow(unreachable_patterns)]\n_ => {}\n}\n");
    Ok(())
}

/// Checks of one value, in the variable `value` (a reference).
fn value_checks(rules: &mut Rules, kind: &Kind, value: &str) -> Result<String> {
    let mut code = String::new();
    match kind {
        Kind::String => {
            if let Some(mut string) = rules.take_message("string") {
                string_checks(&mut string, value, &mut code)?;
                string.finish()?;
            }
        }
        Kind::Bytes => {
            if let Some(mut bytes) = rules.take_message("bytes") {
                length_checks(
                    &mut bytes,
                    "bytes",
                    &format!("{value}.len()"),
                    &[("len", "!="), ("min_len", "<"), ("max_len", ">")],
                    "bytes",
                    &mut code,
                )?;
                bytes.finish()?;
            }
        }
        Kind::Enum(kind) => {
            if let Some(mut rule) = rules.take_message("enum") {
                let path = enum_path(kind);
                if rule.take_bool("defined_only") {
                    writeln!(
                        code,
                        "if {path}::try_from(*{value}).is_err() {{ violations.add(\"enum.defined_only\", \"is not one of the values that exist\"); }}"
                    )?;
                }
                let among = rule.take_list("in");
                if !among.is_empty() {
                    let numbers: Option<Vec<i32>> = among.iter().map(Value::as_i32).collect();
                    let numbers = numbers.ok_or("in must hold numbers")?;
                    let names = numbers.iter().filter_map(|number| kind.get_value(*number));
                    let names: Vec<_> = names.map(|value| value.name().to_owned()).collect();
                    writeln!(
                        code,
                        "if !{numbers:?}.contains({value}) {{ violations.add(\"enum.in\", \"must be one of {}\"); }}",
                        names.join(", ")
                    )?;
                }
                for number in rule.take_list("not_in") {
                    let name = number.as_i32().and_then(|number| kind.get_value(number));
                    let name = name.map(|value| value.name().to_owned()).unwrap_or_default();
                    writeln!(
                        code,
                        "if *{value} == {} {{ violations.add(\"enum.not_in\", \"must not be {name}\"); }}",
                        number.as_i32().ok_or("not_in must hold numbers")?
                    )?;
                }
                rule.finish()?;
            }
        }
        Kind::Message(message) if is_ours(message) => {
            writeln!(code, "crate::Validate::check({value}, violations);")?;
        }
        Kind::Message(_) | Kind::Bool => {}
        number => {
            let rule_name = scalar_name(number).ok_or("a kind of number without rules")?;
            if let Some(mut rule) = rules.take_message(rule_name) {
                number_checks(&mut rule, rule_name, value, &mut code)?;
                rule.finish()?;
            }
        }
    }
    Ok(code)
}

fn string_checks(rules: &mut Rules, value: &str, code: &mut String) -> Result<()> {
    length_checks(
        rules,
        "string",
        &format!("{value}.chars().count()"),
        &[("min_len", "<"), ("max_len", ">")],
        "characters",
        code,
    )?;
    length_checks(
        rules,
        "string",
        &format!("{value}.len()"),
        &[("min_bytes", "<"), ("max_bytes", ">")],
        "bytes",
        code,
    )?;
    if let Some(pattern) = rules.take_str("pattern") {
        writeln!(
            code,
            "{{ static PATTERN: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| regex::Regex::new({pattern:?}).expect(\"the build compiled it\"));\nif !PATTERN.is_match({value}) {{ violations.add(\"string.pattern\", {:?}); }} }}",
            format!("must match `{pattern}`")
        )?;
    }
    if let Some(expected) = rules.take_str("const") {
        writeln!(
            code,
            "if {value} != {expected:?} {{ violations.add(\"string.const\", {:?}); }}",
            format!("must be `{expected}`")
        )?;
    }
    if rules.take_bool("uuid") {
        writeln!(
            code,
            "if !crate::validate::is_uuid({value}) {{ violations.add(\"string.uuid\", \"must be a UUID\"); }}"
        )?;
    }
    Ok(())
}

fn length_checks(
    rules: &mut Rules,
    family: &str,
    length: &str,
    limits: &[(&str, &str)],
    unit: &str,
    code: &mut String,
) -> Result<()> {
    for (rule, operator) in limits {
        if let Some(limit) = rules.take_u64(rule) {
            let text = match *operator {
                "<" => "at least",
                ">" => "at most",
                _ => "exactly",
            };
            writeln!(
                code,
                "if ({length} as u64) {operator} {limit} {{ violations.add(\"{family}.{rule}\", \"must have {text} {limit} {unit}\"); }}"
            )?;
        }
    }
    Ok(())
}

fn number_checks(rules: &mut Rules, family: &str, value: &str, code: &mut String) -> Result<()> {
    for (rule, wrong, text) in [
        ("gt", "<=", "greater than"),
        ("gte", "<", "at least"),
        ("lt", ">=", "less than"),
        ("lte", ">", "at most"),
    ] {
        if let Some(limit) = rules.take_number(rule) {
            writeln!(
                code,
                "if *{value} {wrong} {limit} {{ violations.add(\"{family}.{rule}\", \"must be {text} {limit}\"); }}"
            )?;
        }
    }
    if rules.take_bool("finite") {
        writeln!(
            code,
            "if !{value}.is_finite() {{ violations.add(\"{family}.finite\", \"must be a finite number\"); }}"
        )?;
    }
    Ok(())
}

fn scalar_name(kind: &Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Uint32 => "uint32",
        Kind::Uint64 => "uint64",
        _ => return None,
    })
}

/// The rules of one thing. Each is taken out when it is translated; what is left at the end is
/// a rule that the generator does not know.
#[derive(Default)]
struct Rules(Option<DynamicMessage>);

impl Rules {
    fn take(&mut self, name: &str) -> Option<Value> {
        let message = self.0.as_mut()?;
        let field = message.descriptor().get_field_by_name(name)?;
        if !message.has_field(&field) {
            return None;
        }
        let value = message.get_field(&field).into_owned();
        message.clear_field(&field);
        Some(value)
    }

    fn take_message(&mut self, name: &str) -> Option<Rules> {
        self.take(name)?.as_message().map(|message| Rules(Some(message.clone())))
    }

    fn take_bool(&mut self, name: &str) -> bool {
        self.take(name).and_then(|value| value.as_bool()).unwrap_or(false)
    }

    fn take_u64(&mut self, name: &str) -> Option<u64> {
        self.take(name)?.as_u64()
    }

    fn take_str(&mut self, name: &str) -> Option<String> {
        self.take(name)?.as_str().map(str::to_owned)
    }

    fn take_list(&mut self, name: &str) -> Vec<Value> {
        self.take(name).and_then(|value| value.as_list().map(<[Value]>::to_vec)).unwrap_or_default()
    }

    /// A limit as Rust writes it.
    fn take_number(&mut self, name: &str) -> Option<String> {
        Some(match self.take(name)? {
            Value::I32(number) => number.to_string(),
            Value::I64(number) => number.to_string(),
            Value::U32(number) => number.to_string(),
            Value::U64(number) => number.to_string(),
            Value::F32(number) => format!("{number:?}"),
            Value::F64(number) => format!("{number:?}"),
            _ => return None,
        })
    }

    /// Whether the zero value is exempt (`IGNORE_IF_ZERO_VALUE`).
    fn take_ignore_zero(&mut self) -> bool {
        self.take("ignore").and_then(|value| value.as_enum_number()) == Some(1)
    }

    fn finish(self) -> Result<()> {
        let Some(message) = self.0 else { return Ok(()) };
        let left: Vec<_> = message.fields().map(|(field, _)| field.name().to_owned()).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("rules without a translation: {left:?}").into()) }
    }
}

fn rules_of(pool: &DescriptorPool, field: &FieldDescriptor) -> Result<Rules> {
    extension_of(pool, "buf.validate.field", &field.options())
}

fn oneof_rules(pool: &DescriptorPool, oneof: &OneofDescriptor) -> Result<Rules> {
    extension_of(pool, "buf.validate.oneof", &oneof.options())
}

fn extension_of(pool: &DescriptorPool, name: &str, options: &DynamicMessage) -> Result<Rules> {
    let extension = pool.get_extension_by_name(name).ok_or("buf/validate/validate.proto is missing")?;
    if !options.has_extension(&extension) {
        return Ok(Rules::default());
    }
    Ok(Rules(options.get_extension(&extension).as_message().cloned()))
}

fn real_oneof(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    field.containing_oneof().filter(|oneof| !is_synthetic(oneof))
}

/// `optional` fields are oneofs of one field in the descriptor.
fn is_synthetic(oneof: &OneofDescriptor) -> bool {
    oneof.name().starts_with('_')
}

fn rust_path(message: &MessageDescriptor) -> String {
    format!("{}::{}", parent_path(message), message.name())
}

/// The module a message's type is in: its package, then one module for each outer message.
fn parent_path(message: &MessageDescriptor) -> String {
    let mut path = message.package_name().replace('.', "::");
    let mut parents = Vec::new();
    let mut parent = message.parent_message();
    while let Some(outer) = parent {
        parents.push(snake(outer.name()));
        parent = outer.parent_message();
    }
    for outer in parents.iter().rev() {
        path.push_str("::");
        path.push_str(outer);
    }
    path
}

fn enum_path(kind: &prost_reflect::EnumDescriptor) -> String {
    let package = kind.package_name().replace('.', "::");
    match kind.parent_message() {
        Some(outer) => format!("{}::{}::{}", parent_path(&outer), snake(outer.name()), kind.name()),
        None => format!("{package}::{}", kind.name()),
    }
}

fn rust_name(name: &str) -> String {
    if ["type", "match", "ref", "use", "where", "move"].contains(&name) {
        format!("r#{name}")
    } else {
        name.to_owned()
    }
}

fn pascal(name: &str) -> String {
    name.split('_')
        .map(|part| {
            part.chars()
                .take(1)
                .map(|first| first.to_ascii_uppercase())
                .chain(part.chars().skip(1))
                .collect::<String>()
        })
        .collect()
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    let letters: Vec<char> = name.chars().collect();
    for (index, letter) in letters.iter().enumerate() {
        let after_lower = index > 0 && !letters[index - 1].is_ascii_uppercase();
        let before_lower = index > 0 && letters.get(index + 1).is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase() && (after_lower || before_lower) {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
