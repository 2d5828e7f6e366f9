//! Which folders of this host are looked through for knowledge files: those that its owner has written down, and no
//! other.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

/// Most folders of an agent.
const MAX_FOLDERS: usize = 64;
/// Most patterns of a folder, of each of the two kinds.
const MAX_PATTERNS: usize = 64;
/// Most files of a folder that may be asked for.
const MOST_FILES: usize = 100_000;
/// Most files of all folders together: what is known of each is kept in memory.
const MOST_OF_ALL: usize = 200_000;

/// One `[[knowledge]]` of `agent.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FolderSettings {
    /// What it is called: lower-case letters, digits and hyphens.
    pub(crate) name: String,
    /// Its whole path.
    pub(crate) folder: PathBuf,
    /// Patterns of paths below it; if there are any, only what one of them matches is listed, of whatever kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) include: Vec<String>,
    /// Patterns of paths below it that are not listed, and of folders that are not looked into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) exclude: Vec<String>,
    /// Whether people may read the texts of the files, too.
    #[serde(default)]
    pub(crate) content: bool,
    /// How many files are listed at most.
    #[serde(default = "max_files")]
    pub(crate) max_files: usize,
}

fn max_files() -> usize {
    20_000
}

/// A folder that can be looked through.
pub(super) struct Folder {
    pub(super) settings: FolderSettings,
    include: GlobSet,
    exclude: GlobSet,
}

impl Folder {
    /// All folders of `agent.toml`, by name.
    ///
    /// # Errors
    /// One of them is not as it must be.
    pub(super) fn all(settings: &[FolderSettings]) -> Result<Vec<Self>> {
        ensure!(settings.len() <= MAX_FOLDERS, "agent.toml has more than {MAX_FOLDERS} folders of knowledge");
        let mut folders = Vec::new();
        for settings in settings {
            let told = || format!("the folder of knowledge {:?} of agent.toml", settings.name);
            folders.push(Self::new(settings.clone()).with_context(told)?);
        }
        let all: usize = folders.iter().map(|folder: &Self| folder.settings.max_files).sum();
        ensure!(
            all <= MOST_OF_ALL,
            "`max_files` of all folders of knowledge of agent.toml come to {all}, and {MOST_OF_ALL} is the most"
        );
        folders.sort_by(|one, other| one.settings.name.cmp(&other.settings.name));
        for pair in folders.windows(2) {
            let name = &pair[0].settings.name;
            ensure!(*name != pair[1].settings.name, "agent.toml has two folders of knowledge {name:?}");
        }
        Ok(folders)
    }

    fn new(settings: FolderSettings) -> Result<Self> {
        let is_of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let name = settings.name.as_bytes();
        let is_name = (1..=63).contains(&name.len())
            && name.iter().all(|byte| is_of_name(*byte))
            && !(name.starts_with(b"-") || name.ends_with(b"-"));
        ensure!(is_name, "`name` is 1 to 63 lower-case letters, digits and hyphens, none at its ends");
        ensure!(settings.folder.is_absolute(), "`folder` is a whole path");
        ensure!((1..=MOST_FILES).contains(&settings.max_files), "`max_files` is 1 to {MOST_FILES}");
        let include = patterns(&settings.include).context("`include`")?;
        let exclude = patterns(&settings.exclude).context("`exclude`")?;
        Ok(Self { settings, include, exclude })
    }

    /// Whether a file is listed that is of a kind which is known (`is_known`), or not.
    pub(super) fn wants(&self, path: &std::path::Path, is_known: bool) -> bool {
        (if self.include.is_empty() { is_known } else { self.include.is_match(path) }) && !self.excludes(path)
    }

    /// Whether a file or folder is left out.
    pub(super) fn excludes(&self, path: &std::path::Path) -> bool {
        self.exclude.is_match(path)
    }
}

fn patterns(patterns: &[String]) -> Result<GlobSet> {
    ensure!(patterns.len() <= MAX_PATTERNS, "has more than {MAX_PATTERNS} patterns");
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        // Somebody who means a folder to be left out must not find that his way of saying so means nothing.
        let is_path = !(pattern.starts_with('/') || pattern.starts_with("./") || pattern.ends_with('/'));
        ensure!(
            is_path,
            "{pattern:?} matches nothing: a path below the folder has no `/` or `./` at its ends"
        );
        set.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
    }
    Ok(set.build()?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Result<Vec<Folder>> {
        #[derive(Deserialize)]
        struct File {
            knowledge: Vec<FolderSettings>,
        }
        Folder::all(&toml::from_str::<File>(text)?.knowledge)
    }

    #[test]
    fn a_folder_shows_known_kinds_or_what_is_asked_for_and_no_texts() {
        let folders = read(
            "[[knowledge]]\nname = 'b'\nfolder = '/b'\n[[knowledge]]\nname = 'a'\nfolder = '/a'\n\
                            include = ['**/*.log']\nexclude = ['old', '**/x.log']",
        )
        .expect("it is right");
        let [a, b] = &folders[..] else { panic!("there are two") };
        assert_eq!((&*a.settings.name, b.settings.content, b.settings.max_files), ("a", false, 20_000));
        let wants = |folder: &Folder, path| folder.wants(Path::new(path), false);
        assert!(wants(a, "y.log") && wants(a, "z/y.log") && !wants(a, "z/x.log") && !wants(a, "y.md"));
        assert!(a.excludes(Path::new("old")) && !wants(b, "y.log") && b.wants(Path::new("y.md"), true));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = |name, files| {
            format!("name = '{name}'\nfolder = '/{name}'\nmax_files = {files}\n[[knowledge]]\n")
        };
        let many = format!(
            "{}{}name = 'c'\nfolder = '/c'\nmax_files = 1",
            folder("a", 100_000),
            folder("b", 100_000)
        );
        for (text, problem) in [
            ("name = 'A'\nfolder = '/a'", "lower-case"),
            ("name = 'a-'\nfolder = '/a'", "lower-case"),
            ("name = 'a'\nfolder = 'a'", "whole path"),
            ("name = 'a'\nfolder = '/a'\ninclude = ['[']", "`include`"),
            ("name = 'a'\nfolder = '/a'\nexclude = ['drafts/']", "matches nothing"),
            ("name = 'a'\nfolder = '/a'\nexclude = ['./drafts']", "matches nothing"),
            ("name = 'a'\nfolder = '/a'\ninclude = ['/drafts']", "matches nothing"),
            ("name = 'a'\nfolder = '/a'\nmax_files = 0", "`max_files`"),
            ("name = 'a'\nfolder = '/a'\nfollow = true", "follow"),
            ("name = 'a'\nfolder = '/a'\n[[knowledge]]\nname = 'a'\nfolder = '/b'", "two folders"),
            (&many, "come to 200001"),
        ] {
            let error = read(&format!("[[knowledge]]\n{text}")).err().expect(text);
            assert!(format!("{error:#}").contains(problem), "{error:#}");
        }
    }
}
