//! Does `docs/contracts.md` say of exactly the methods that are there that they are built?

use std::collections::BTreeSet;

use crate::contracts::Contracts;

/// Services whose tables the map has, and in them the methods that are `built`.
fn built(map: &str) -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    let mut service = None;
    for line in map.lines() {
        if line.starts_with('#') {
            service = line.strip_prefix("### `").and_then(|rest| rest.strip_suffix('`'));
        }
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let (Some(service), [names, _, "built"]) = (service, cells.as_slice()) {
            methods
                .extend(names.split_whitespace().map(|name| format!("{service}.{}", name.trim_matches('`'))));
        }
    }
    methods
}

#[test]
fn the_map_and_the_contracts_agree() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/contracts.md");
    let map = std::fs::read_to_string(path).expect("docs/contracts.md is the map of the contracts");
    let contracts = Contracts::of(weft_proto::pool(), "weft.");
    let declared: BTreeSet<_> = contracts.methods().map(|method| method.full_name().to_owned()).collect();
    let built = built(&map);
    let unmarked: Vec<_> = declared.difference(&built).collect();
    let missing: Vec<_> = built.difference(&declared).collect();
    assert!(unmarked.is_empty(), "in a contract, but not marked built in docs/contracts.md: {unmarked:#?}");
    assert!(missing.is_empty(), "marked built in docs/contracts.md, but in no contract: {missing:#?}");
}
