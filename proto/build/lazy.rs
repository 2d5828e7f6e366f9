//! Fields that a contract calls `[lazy = true]`: their messages stay encoded until somebody wants to read them.
//!
//! In Rust such a field is a `Lazy<M>` instead of an `M`. What is kept encoded is then passed on as it is, and nobody
//! decodes it only to encode it again. The generator of messages knows no such thing, so each of these fields gets a
//! type of a package that does not exist, and the generator is told what that type is in Rust.

use std::collections::BTreeSet;

use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FieldOptions, FileDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::Type,
};

/// The package that does not exist.
const PACKAGE: &str = "weft.lazy";

/// Renames the types of lazy fields; answers with the new names and what they are in Rust.
pub(crate) fn rename(descriptors: &mut FileDescriptorSet) -> Vec<(String, String)> {
    let mut names = BTreeSet::new();
    for message in descriptors.file.iter_mut().flat_map(|file| &mut file.message_type) {
        in_message(message, &mut names);
    }
    descriptors.file.push(FileDescriptorProto {
        name: Some("weft/lazy.proto".to_owned()),
        package: Some(PACKAGE.to_owned()),
        message_type: names.iter().map(|name| stand_in(name)).collect(),
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    });
    names.iter().map(|name| (format!(".{PACKAGE}.{}", flat(name)), rust_type(name))).collect()
}

fn in_message(message: &mut DescriptorProto, names: &mut BTreeSet<String>) {
    for nested in &mut message.nested_type {
        in_message(nested, names);
    }
    for field in message.field.iter_mut().filter(|field| is_lazy(field)) {
        if let Some(name) = &mut field.type_name {
            let renamed = format!(".{PACKAGE}.{}", flat(name));
            names.insert(std::mem::replace(name, renamed));
        }
    }
}

fn is_lazy(field: &FieldDescriptorProto) -> bool {
    field.r#type() == Type::Message && field.options.as_ref().is_some_and(FieldOptions::lazy)
}

/// `.google.protobuf.Struct` as one word.
fn flat(name: &str) -> String {
    name.trim_start_matches('.').replace('.', "_")
}

/// A message that can neither be hashed nor copied, so that nothing which has it derives that either.
fn stand_in(name: &str) -> DescriptorProto {
    let field = |name: &str, number, kind: Type| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(kind.into()),
        ..FieldDescriptorProto::default()
    };
    DescriptorProto {
        name: Some(flat(name)),
        field: vec![field("number", 1, Type::Double), field("text", 2, Type::String)],
        ..DescriptorProto::default()
    }
}

fn rust_type(name: &str) -> String {
    let name = name.trim_start_matches('.');
    match name.strip_prefix("google.protobuf.") {
        Some(name) => format!("crate::Lazy<::prost_types::{name}>"),
        None => format!("crate::Lazy<crate::{}>", name.replace('.', "::")),
    }
}
