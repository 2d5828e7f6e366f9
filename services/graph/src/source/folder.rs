//! Folders that the configuration has opened: which there are, which files are in them, what is in a
//! file. Paths are resolved below the opened folder by the capability-based file system, so that no
//! link and no race leads out of it.

use std::io::{self, Read};

use cap_fs_ext::OpenOptionsSyncExt;
use cap_std::{
    ambient_authority,
    fs::{Dir, OpenOptions},
};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use weft_proto::weft::graph::v1::{FolderLocation, GraphFormat};

use crate::{
    Error, FolderOptions, Options,
    formats::{check_path, is_worth_reading},
};

/// How deep folders are looked through.
const MAX_DEPTH: usize = 64;

/// A file to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundFile {
    /// Below the folder, with `/`.
    pub(crate) path: String,
    /// Its size when it was found.
    pub(crate) bytes: u64,
}

/// A folder of the configuration by its resource name, if it is open to the project.
pub(crate) fn configured<'o>(
    options: &'o Options,
    project: &str,
    name: &str,
) -> Result<&'o FolderOptions, Error> {
    let id =
        name.strip_prefix("projects/").and_then(|rest| rest.strip_prefix(project)?.strip_prefix("/folders/"));
    id.and_then(|id| options.folders.get(id))
        .filter(|folder| folder.is_open_to(project))
        .ok_or_else(|| Error::FolderNotFound(name.to_owned()))
}

/// Checks what a client says of a folder, without looking at the disk.
pub(crate) fn check(options: &Options, project: &str, location: &FolderLocation) -> Result<(), Error> {
    configured(options, project, &location.folder)?;
    if !location.path.is_empty() {
        check_path(&location.path).map_err(|problem| {
            Error::field("source.folder.path", problem.replace("the imported folder", "the folder"))
        })?;
    }
    patterns("source.folder.include", &location.include)?;
    patterns("source.folder.exclude", &location.exclude)?;
    Ok(())
}

fn patterns(field: &str, patterns: &[String]) -> Result<GlobSet, Error> {
    let mut set = GlobSetBuilder::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        set.add(glob.map_err(|error| Error::field(format!("{field}[{index}]"), error.kind()))?);
    }
    set.build().map_err(|error| Error::field(field, error.kind()))
}

/// Whether a folder can be read now.
pub(crate) fn is_available(folder: &FolderOptions) -> bool {
    Dir::open_ambient_dir(&folder.path, ambient_authority()).and_then(|dir| dir.entries().map(drop)).is_ok()
}

/// An open folder, of which some files are wanted.
pub(crate) struct Folder {
    name: String,
    dir: Dir,
    include: GlobSet,
    exclude: GlobSet,
}

impl Folder {
    /// Opens it. Blocks.
    pub(crate) fn open(options: &FolderOptions, location: &FolderLocation) -> Result<Self, Error> {
        let name = location.folder.clone();
        let unavailable = |what: &str, error: &io::Error| {
            let problem = format!("{what} {}", problem_of(error));
            Error::FolderUnavailable { folder: name.clone(), problem }
        };
        let opened = Dir::open_ambient_dir(&options.path, ambient_authority());
        let mut dir = opened.map_err(|error| unavailable("it", &error))?;
        if !location.path.is_empty() {
            let opened = dir.open_dir(&location.path);
            dir = opened.map_err(|error| unavailable(&format!("{:?} in it", location.path), &error))?;
        }
        let include = patterns("source.folder.include", &location.include)?;
        let exclude = patterns("source.folder.exclude", &location.exclude)?;
        Ok(Self { name, dir, include, exclude })
    }

    /// The files that are wanted and may be of the format, in the order of their paths, those with
    /// "node" in their path first: files of edges may refer to them. `go_on` is asked between entries.
    /// Blocks.
    pub(crate) fn scan(
        &self,
        format: GraphFormat,
        max_files: u64,
        go_on: &dyn Fn(&FoundFile) -> Result<(), Error>,
    ) -> Result<Vec<FoundFile>, Error> {
        let mut files = Vec::new();
        let mut folders = vec![(String::new(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            let at = if folder.is_empty() { "." } else { folder.as_str() };
            let entries = self.dir.read_dir(at).map_err(|error| self.failed(&folder, &error))?;
            for entry in entries {
                let entry = entry.map_err(|error| self.failed(&folder, &error))?;
                let name = entry.file_name();
                // What cannot be written in a path of ours cannot be told of either.
                let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
                let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                if check_path(&path).is_err() {
                    continue;
                }
                let kind = entry.file_type().map_err(|error| self.failed(&path, &error))?;
                // Follows links, though never out of the folder.
                let meta = match self.dir.metadata(&path) {
                    Ok(meta) => meta,
                    // A link to nothing, or deleted just now.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(self.failed(&path, &error)),
                };
                if meta.is_dir() {
                    // A link to a folder could lead in a circle; its files come by their own path.
                    if !kind.is_symlink() && !self.is_excluded(&path) {
                        if depth == MAX_DEPTH {
                            return Err(self.refused(&path, "lies too deep"));
                        }
                        folders.push((path, depth + 1));
                    }
                } else if meta.is_file() && self.is_wanted(&path) && is_worth_reading(&path, format) {
                    let file = FoundFile { path, bytes: meta.len() };
                    go_on(&file)?;
                    files.push(file);
                    if files.len() as u64 > max_files {
                        return Err(Error::Quota {
                            reason: "IMPORT_TOO_LARGE",
                            subject: self.name.clone(),
                            description: format!("an import has at most {max_files} files"),
                            passes: false,
                        });
                    }
                }
            }
        }
        files.sort_unstable_by(|a, b| {
            (!a.path.contains("node"), &a.path).cmp(&(!b.path.contains("node"), &b.path))
        });
        Ok(files)
    }

    /// Reads a file piece by piece. Blocks.
    pub(crate) fn read(
        &self,
        path: &str,
        mut piece: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut options = OpenOptions::new();
        // Should somebody have put a pipe in its place, opening it must not wait for a writer.
        options.read(true).nonblock(true);
        let mut file = self.dir.open_with(path, &options).map_err(|error| self.failed(path, &error))?;
        let meta = file.metadata().map_err(|error| self.failed(path, &error))?;
        if !meta.is_file() {
            return Err(self.refused(path, "is not a file any more"));
        }
        let mut buffer = vec![0; 256 << 10];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => piece(&buffer[..read])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(path, &error)),
            }
        }
    }

    fn is_wanted(&self, path: &str) -> bool {
        (self.include.is_empty() || self.include.is_match(path)) && !self.is_excluded(path)
    }

    fn is_excluded(&self, path: &str) -> bool {
        self.exclude.is_match(path)
    }

    fn failed(&self, path: &str, error: &io::Error) -> Error {
        self.refused(path, &problem_of(error))
    }

    fn refused(&self, path: &str, problem: &str) -> Error {
        let folder = self.name.clone();
        Error::FileUnreadable { folder, path: path.to_owned(), problem: problem.to_owned() }
    }
}

/// What went wrong, without a path of the machine in it.
fn problem_of(error: &io::Error) -> String {
    // Said by the operating system where it checks the boundary itself, otherwise by the library.
    let escapes =
        error.raw_os_error() == Some(XDEV) || error.to_string().contains("outside of the filesystem");
    if escapes {
        return "leads out of the folder".to_owned();
    }
    match error.kind() {
        io::ErrorKind::NotFound => "is not there".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be read".to_owned(),
        io::ErrorKind::NotADirectory => "is not a folder".to_owned(),
        kind => kind.to_string(),
    }
}

/// EXDEV: a path that was to stay beneath a folder would leave it.
const XDEV: i32 = 18;
