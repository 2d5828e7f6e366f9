//! Finding the files of an import: one, several, a folder, or standard input.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::client::Upload;

/// What to send, for the paths that were given. `-` is standard input. Of a folder come the files
/// below it whose names do not begin with a dot; links that lead out of it are refused.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<Upload>> {
    let mut uploads = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            uploads.push(Upload::from_input("stdin".into()));
        } else if path.is_dir() {
            let root = path.canonicalize().with_context(|| path.display().to_string())?;
            folder(&root, &root, &mut uploads)?;
        } else {
            let size = fs::metadata(path).with_context(|| path.display().to_string())?.len();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            uploads.push(Upload::from_file(name, path.clone(), size));
        }
    }
    // Files of nodes first: those of edges may refer to their lines.
    uploads.sort_by_key(|upload| !upload.path.contains("node"));
    if uploads.is_empty() {
        bail!("there are no files to import");
    }
    Ok(uploads)
}

fn folder(root: &Path, at: &Path, uploads: &mut Vec<Upload>) -> Result<()> {
    let mut entries: Vec<_> = fs::read_dir(at)
        .and_then(Iterator::collect::<io::Result<_>>)
        .with_context(|| at.display().to_string())?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let real = path.canonicalize().with_context(|| path.display().to_string())?;
        if !real.starts_with(root) {
            bail!("{} leads out of the folder", path.display());
        }
        if real.is_dir() {
            // A link to a folder could lead in a circle; its files come by their own path.
            if !entry.file_type()?.is_symlink() {
                folder(root, &path, uploads)?;
            }
            continue;
        }
        let size = entry.metadata().map_or(0, |metadata| metadata.len());
        let relative = path.strip_prefix(root).unwrap_or(&path);
        let name = relative
            .components()
            .map(|part| part.as_os_str().to_string_lossy())
            .collect::<Vec<_>>()
            .join("/");
        uploads.push(Upload::from_file(name, real, size));
    }
    Ok(())
}
