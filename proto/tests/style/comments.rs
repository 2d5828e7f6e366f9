//! Everything in a contract has a comment (AIP-192): it is the documentation of the API.

use prost_reflect::FileDescriptor;

use crate::{Finding, contracts::Contracts};

/// Number of `package` in a `FileDescriptorProto`, which a package's comment hangs on.
const PACKAGE: i32 = 2;

pub(crate) fn check(contracts: &Contracts, found: &mut Vec<Finding>) {
    let mut report = |file: &FileDescriptor, path: &[i32], at: &str| {
        if !contracts.has_comment(file, path) {
            let text = "has no comment; say what it is and, where it has them, its unit, limits and default";
            found.push(Finding { rule: "comment", at: at.to_owned(), text: text.to_owned() });
        }
    };
    for service in contracts.services() {
        let file = service.parent_file();
        report(&file, service.path(), service.full_name());
        for method in service.methods() {
            report(&file, method.path(), method.full_name());
        }
    }
    for message in contracts.messages() {
        let file = message.parent_file();
        report(&file, message.path(), message.full_name());
        for field in message.fields() {
            report(&file, field.path(), field.full_name());
        }
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            report(&file, oneof.path(), oneof.full_name());
        }
    }
    for item in contracts.enums() {
        let file = item.parent_file();
        report(&file, item.path(), item.full_name());
        for value in item.values() {
            report(&file, value.path(), value.full_name());
        }
    }
    // A package says in one of its files what it is about.
    let mut packages: Vec<(String, bool)> = Vec::new();
    for file in contracts.files() {
        let described = contracts.has_comment(&file, &[PACKAGE]);
        match packages.iter_mut().find(|(name, _)| name == file.package_name()) {
            Some((_, any)) => *any |= described,
            None => packages.push((file.package_name().to_owned(), described)),
        }
    }
    found.extend(packages.into_iter().filter(|(_, described)| !described).map(|(at, _)| Finding {
        rule: "package-comment",
        at,
        text: "no file of the package says what it is about, above `package`".to_owned(),
    }));
}
