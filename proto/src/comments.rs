//! The comments of the contracts, read where they lie in the program.
//!
//! The numbers of fields are those of `google/protobuf/descriptor.proto`.

use prost::encoding::decode_varint;

use crate::{
    DESCRIPTORS,
    wire::{fields, string_at},
};

/// The encoded `google.protobuf.FileDescriptorProto` of a file of the contracts, such as
/// `weft/graph/v1/graph_service.proto`, with its comments.
pub fn encoded_file(name: &str) -> Option<&'static [u8]> {
    fields(DESCRIPTORS, 1).find(|file| string_at(file, &[1]) == Some(name))
}

/// The comment before an element of a file, as it was written; `path` is that of its descriptor. Reads all that the file
/// has of them: for documents, not for calls.
pub fn comment(file: &str, path: &[i32]) -> Option<&'static str> {
    let info = fields(encoded_file(file)?, 9).last()?;
    let place =
        fields(info, 1).find(|place| fields(place, 1).last().is_some_and(|found| is_path(found, path)))?;
    string_at(place, &[3])
}

/// Whether packed numbers are these.
fn is_path(mut packed: &[u8], path: &[i32]) -> bool {
    for &number in path {
        if decode_varint(&mut packed).ok() != u64::try_from(number).ok() {
            return false;
        }
    }
    packed.is_empty()
}

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;

    use super::*;

    #[test]
    fn comments_are_those_of_the_descriptors() {
        let whole = DescriptorPool::decode(DESCRIPTORS).expect("the build wrote a valid descriptor set");
        let mut count = 0;
        for file in whole.files() {
            let places = &file.file_descriptor_proto().source_code_info;
            for place in places.iter().flat_map(|info| &info.location) {
                assert_eq!(comment(file.name(), &place.path), place.leading_comments.as_deref());
                count += 1;
            }
            let encoded = encoded_file(file.name()).expect("it is there");
            assert_eq!(encoded, file.encode_to_vec(), "{}", file.name());
        }
        assert!(count > 1_000, "{count}");
        assert_eq!(comment("weft/graph/v1/graph_service.proto", &[4, 1_000]), None);
        assert_eq!(comment("weft/graph/v1/nothing.proto", &[4, 0]), None);
    }
}
