//! Which paths a client may give: relative, below the imported folder, on every system.

use super::FormatError;

/// Longest path, in bytes.
const MAX_PATH_BYTES: usize = 1024;

/// Refuses paths that are absolute, climb with `..`, or mean something else on another system.
pub(super) fn check(path: &str) -> Result<(), FormatError> {
    match problem(path) {
        None => Ok(()),
        Some(problem) => {
            let mut shown = path.to_owned();
            super::out::cut(&mut shown, MAX_PATH_BYTES);
            Err(FormatError::UnsafePath { path: shown, problem: problem.to_owned() })
        }
    }
}

/// What is wrong with a path that is to be plain and relative.
pub(crate) fn check_plain(path: &str) -> Result<(), &'static str> {
    problem(path).map_or(Ok(()), Err)
}

fn problem(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("it is empty; give the path relative to the imported folder");
    }
    if path.len() > MAX_PATH_BYTES {
        return Some("it is longer than 1024 bytes");
    }
    if path.chars().any(char::is_control) {
        return Some("it has a control character");
    }
    if path.contains('\\') {
        return Some("it has a backslash; separate folders with `/`");
    }
    if path.starts_with('/') {
        return Some("it is absolute; give it relative to the imported folder");
    }
    if path.len() >= 2 && path.as_bytes()[1] == b':' && path.as_bytes()[0].is_ascii_alphabetic() {
        return Some("it begins with a drive; give it relative to the imported folder");
    }
    let mut segments = path.split('/');
    if segments.any(|segment| segment.is_empty() || segment == "." || segment == "..") {
        return Some("it has an empty part, `.` or `..`; give it in its plain form");
    }
    None
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The lower-case name without `.gz`, and whether it had it (`.tgz` counts as `.tar.gz`).
pub(super) fn without_gzip(path: &str) -> (String, bool) {
    let name = file_name(path).to_lowercase();
    if let Some(stem) = name.strip_suffix(".gz") {
        return (stem.to_owned(), true);
    }
    match name.strip_suffix(".tgz") {
        Some(stem) => (format!("{stem}.tar"), true),
        None => (name, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_relative_paths_pass() {
        for path in ["a", "a/b.md", "über/ñ.md", "a..b/..c", "x.tar.gz", "C/d:e"] {
            assert_eq!(problem(path), None, "{path}");
        }
    }

    #[test]
    fn tricks_are_refused() {
        let long = "x".repeat(1025);
        let tricks = [
            "",
            "/etc/passwd",
            "../a",
            "a/../b",
            "a/..",
            "./a",
            "a//b",
            "a/",
            "a\\b",
            "..\\a",
            "C:a",
            "c:/a",
            "a\0b",
            "a\nb",
            &long,
        ];
        for path in tricks {
            assert!(matches!(check(path), Err(FormatError::UnsafePath { .. })), "{path:?}");
        }
    }
}
