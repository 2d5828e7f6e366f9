//! Keeps of a descriptor set's source info what somebody reads: the comments of contracts, and where those stood, without
//! which clients in Go refuse a descriptor. Where each word stood would be most of the set, in the program and in
//! its memory.

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value, prost::Message};

use crate::Result;

/// Contracts that are written by others, and explained elsewhere.
const OTHERS: [&str; 3] = ["google/protobuf/", "google/api/", "buf/"];

/// The set without any source info.
pub(crate) fn none(descriptors: &[u8]) -> Result<Vec<u8>> {
    let mut set = DynamicMessage::decode(kind_of_sets()?, descriptors)?;
    for file in list(&mut set, "file").iter_mut().filter_map(Value::as_message_mut) {
        file.clear_field_by_name("source_code_info");
    }
    Ok(set.encode_to_vec())
}

/// The set without places that have no comment, and without comments of the contracts of others.
pub(crate) fn only(descriptors: &[u8]) -> Result<Vec<u8>> {
    // Options are extensions, which a message of reflection keeps even where it does not know them.
    let mut set = DynamicMessage::decode(kind_of_sets()?, descriptors)?;
    for file in list(&mut set, "file") {
        let Value::Message(file) = file else { continue };
        let name = file.get_field_by_name("name");
        let name = name.as_deref().and_then(Value::as_str).unwrap_or_default();
        if OTHERS.iter().any(|folder| name.starts_with(folder)) {
            file.clear_field_by_name("source_code_info");
        } else if let Some(Value::Message(info)) = file.get_field_by_name_mut("source_code_info") {
            let places = list(info, "location");
            places.retain(|place| {
                place.as_message().is_some_and(|place| place.has_field_by_name("leading_comments"))
            });
            for place in places.iter_mut().filter_map(Value::as_message_mut) {
                for unread in ["trailing_comments", "leading_detached_comments"] {
                    place.clear_field_by_name(unread);
                }
            }
        }
    }
    Ok(set.encode_to_vec())
}

fn kind_of_sets() -> Result<MessageDescriptor> {
    let kind = DescriptorPool::global().get_message_by_name("google.protobuf.FileDescriptorSet");
    kind.ok_or_else(|| "the type of descriptor sets is missing".into())
}

/// A repeated field.
fn list<'a>(message: &'a mut DynamicMessage, field: &str) -> &'a mut Vec<Value> {
    let list = message.get_field_by_name_mut(field).and_then(Value::as_list_mut);
    list.unwrap_or_else(|| panic!("descriptors have a list {field:?}"))
}
