//! Is every method of every store in the suite, and is every case of the suite stamped?

use std::{fs, path::Path};

/// Names of the functions that a source file declares with a prefix, in order.
fn names<'a>(source: &'a str, prefix: &str) -> Vec<&'a str> {
    let declarations = source.lines().filter_map(|line| line.trim_start().strip_prefix(prefix));
    declarations.filter_map(|rest| rest.split(['(', '<']).next()).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path)).unwrap()
}

fn cases() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let areas = files.filter(|path| path.file_stem().is_some_and(|name| name != "mod" && name != "load"));
    areas
        .map(|path| {
            let area = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (area, fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn every_method_is_called_by_the_suite() {
    let suite: String = cases().into_iter().map(|(_, source)| source).collect();
    let mut methods = 0;
    for file in [
        "lib.rs",
        "once.rs",
        "graph.rs",
        "source.rs",
        "layout.rs",
        "execution.rs",
        "member.rs",
        "placement.rs",
        "project_object.rs",
        "agent.rs",
        "alert.rs",
        "identity.rs",
        "jobs.rs",
        "telemetry.rs",
        "trigger.rs",
    ] {
        for method in names(&read(file), "async fn ") {
            if file == "lib.rs" && method == "newest" {
                continue; // the example in the documentation
            }
            assert!(suite.contains(&format!(".{method}(")), "no case calls {method}");
            methods += 1;
        }
    }
    assert!(methods >= 50, "only {methods} methods found: the search is broken");
}

#[test]
fn every_case_is_stamped() {
    let list = read("conformance/mod.rs");
    let (_, list) = list.split_once("@$how $world;").unwrap();
    let (list, _) = list.split_once("};").unwrap();
    for (area, source) in cases() {
        let (_, stamped) = list.split_once(&format!(" {area}:")).expect("the area is stamped");
        let (stamped, _) = stamped.split_once(';').unwrap();
        let stamped: Vec<_> = stamped.split(',').map(str::trim).collect();
        let declared = names(&source, "pub async fn ");
        assert!(!declared.is_empty());
        for case in &declared {
            assert!(stamped.contains(case), "{area}::{case} is not stamped");
        }
        assert_eq!(stamped.len(), declared.len(), "{area}");
    }
}
