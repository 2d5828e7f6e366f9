//! Files of the agent's folder: only their owner reads them, and one program has them at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, Result};

/// Makes files that only their owner reads; what else is done with them is still to be said.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

/// Takes the lock of that name, for as long as the file lives. `None` if another program has it.
///
/// # Errors
/// The folder cannot be written.
pub(super) fn lock(folder: &Path, name: &str) -> Result<Option<File>> {
    let path = folder.join(name);
    let told = || path.display().to_string();
    let file = private().append(true).open(&path).with_context(told)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(told),
    }
}

/// Puts these bytes in place of a file: all of them are on disk when it returns, and before that none.
///
/// # Errors
/// The folder cannot be written, or the disk is full.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = path.with_extension("next");
    let mut file = private().write(true).truncate(true).open(&next)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&next, path)?;
    // The name, too, is on disk.
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_program_has_a_lock() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = lock(folder.path(), "x.lock").expect("it can be made").expect("nobody has it");
        assert!(lock(folder.path(), "x.lock").expect("it is there").is_none());
        drop(held);
        assert!(lock(folder.path(), "x.lock").expect("it is there").is_some());
        assert!(lock(&folder.path().join("none"), "x.lock").is_err());
    }

    #[test]
    fn a_file_is_replaced_whole_and_is_its_owners() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("kept.json");
        for text in ["a longer one", "short"] {
            replace(&file, text.as_bytes()).expect("it is written");
            assert_eq!(fs::read_to_string(&file).expect("it is there"), text);
        }
        let mode = fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
