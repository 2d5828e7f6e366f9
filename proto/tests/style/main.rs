//! Do the contracts keep the habits that no linter at hand checks? Reads the descriptor set.
//!
//! The habits are Google's API Improvement Proposals (AIP) as `docs/contracts.md` sums them up.
//! Each rule reports findings; the test fails on any that `exceptions.rs` does not explain, and
//! on an exception that explains nothing any more. `faulty.proto` breaks every rule once, so
//! that a rule which has stopped finding anything fails too.

mod comments;
mod contracts;
mod exceptions;
mod fields;
mod map;
mod methods;
mod resources;

use std::collections::BTreeSet;

use contracts::Contracts;
use prost_reflect::DescriptorPool;

/// Something in a contract that is not as it should be.
pub(crate) struct Finding {
    /// Name of the rule, as `exceptions.rs` and `faulty.proto` write it.
    pub(crate) rule: &'static str,
    /// Full name of what is wrong.
    pub(crate) at: String,
    /// What is wrong, and what would be right.
    pub(crate) text: String,
}

/// Runs every rule.
fn findings(contracts: &Contracts) -> Vec<Finding> {
    let mut found = Vec::new();
    comments::check(contracts, &mut found);
    methods::check(contracts, &mut found);
    resources::check(contracts, &mut found);
    fields::check(contracts, &mut found);
    found
}

#[test]
fn the_contracts_keep_the_habits() {
    // With comments, which the pool of a process does without.
    let pool = DescriptorPool::decode(weft_proto::DESCRIPTORS).expect("the build wrote a valid set");
    let contracts = Contracts::of(&pool, "weft.");
    let mut unused: BTreeSet<_> = exceptions::EXCEPTIONS.iter().map(|e| (e.rule, e.at)).collect();
    let mut faults = Vec::new();
    for finding in findings(&contracts) {
        match exceptions::EXCEPTIONS.iter().find(|e| e.rule == finding.rule && e.at == finding.at) {
            Some(exception) => {
                unused.remove(&(exception.rule, exception.at));
            }
            None => faults.push(format!("[{}] {}: {}", finding.rule, finding.at, finding.text)),
        }
    }
    faults.extend(
        unused.iter().map(|(rule, at)| format!("[{rule}] {at}: this exception is not needed any more")),
    );
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_rule_finds_its_fault() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/style");
    let includes = [folder, env!("CARGO_MANIFEST_DIR"), concat!(env!("CARGO_MANIFEST_DIR"), "/vendor")];
    let mut compiler = protox::Compiler::new(includes).expect("the folders exist");
    compiler.include_source_info(true).include_imports(true);
    compiler.open_file("faulty.proto").expect("it compiles; only its style is wrong");
    let pool = DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice())
        .expect("the compiler wrote a valid set");

    let found: BTreeSet<String> = findings(&Contracts::of(&pool, "faulty."))
        .iter()
        .map(|finding| format!("{} {}", finding.rule, finding.at.trim_start_matches("faulty.thing.v1.")))
        .collect();
    let source = include_str!("faulty.proto");
    let expected: BTreeSet<String> =
        source.lines().filter_map(|line| line.trim().strip_prefix("//! ")).map(ToOwned::to_owned).collect();
    assert_eq!(found, expected);
}
