//! Fields that a contract calls `[lazy = true]`: their messages stay encoded until somebody wants to read them.
//!
//! On the wire a message and its bytes are one and the same, so in Rust such a field is `Bytes`. What is written down
//! encoded and told to many is then passed on as it is, and nobody decodes it only to encode it again.

use prost_reflect::{
    FieldDescriptor, Kind,
    prost_types::{
        DescriptorProto, FieldDescriptorProto, FieldOptions, FileDescriptorSet, field_descriptor_proto::Type,
    },
};

/// Makes every lazy field one of bytes.
pub(crate) fn keep_encoded(descriptors: &mut FileDescriptorSet) {
    descriptors.file.iter_mut().flat_map(|file| &mut file.message_type).for_each(in_message);
}

fn in_message(message: &mut DescriptorProto) {
    message.nested_type.iter_mut().for_each(in_message);
    for field in message.field.iter_mut().filter(|field| says_lazy(field)) {
        field.set_type(Type::Bytes);
        field.type_name = None;
    }
}

fn says_lazy(field: &FieldDescriptorProto) -> bool {
    field.options.as_ref().is_some_and(FieldOptions::lazy)
}

/// Whether a field stays encoded.
pub(crate) fn is_lazy(field: &FieldDescriptor) -> bool {
    says_lazy(field.field_descriptor_proto())
}

/// What a field holds in Rust.
pub(crate) fn kind(field: &FieldDescriptor) -> Kind {
    if is_lazy(field) { Kind::Bytes } else { field.kind() }
}
