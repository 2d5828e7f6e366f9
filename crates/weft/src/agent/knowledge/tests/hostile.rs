//! Folders that somebody has made in bad faith.

use std::{
    ffi::OsStr,
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
    },
    process::Command,
};

use cap_std::{ambient_authority, fs::Dir};

use super::*;
use crate::agent::knowledge::{read, walk};

#[test]
fn links_are_not_followed_wherever_they_lead() {
    let (place, outside) = (Place::new(), Place::new());
    outside.put("secret.md", b"# secret");
    place.put("here/a.md", b"# a");
    let link = |to: PathBuf, at: &str| symlink(to, place.path(at)).expect("a link can be made");
    link(outside.path("secret.md"), "file.md");
    link(outside.path(""), "folder");
    link(place.path(""), "here/circle");
    link(place.path("here/a.md"), "b.md");
    link("self.md".into(), "self.md");
    link("../../../../../../etc/passwd".into(), "here/passwd.txt");
    let index = place.look(&Index::default());
    assert_eq!((paths(&index), &*index.folders[0].problem), (vec!["here/a.md"], ""));
}

#[test]
fn what_takes_a_files_place_is_not_read_and_nobody_waits_for_it() {
    let (place, outside) = (Place::new(), Place::new());
    outside.put("secret.md", b"# secret");
    let folders = Folder::all(&[place.settings()]).expect("they are right");
    let dir = Dir::open_ambient_dir(place.path(""), ambient_authority()).expect("it is there");
    let pace = Pace::for_at_most(Duration::from_mins(5), Arc::default());
    for name in ["link", "pipe", "gone", "folder", "other"] {
        place.put(format!("{name}/a.md"), b"# a");
    }
    let walked = walk::walk(&dir, &folders[0], &pace);
    let at = |name: &str| place.path(&format!("{name}/a.md"));
    for name in ["link", "pipe", "gone", "folder"] {
        fs::remove_file(at(name)).expect("it is there");
    }
    symlink(outside.path("secret.md"), at("link")).expect("a link can be made");
    assert!(Command::new("mkfifo").arg(at("pipe")).status().expect("there is one").success());
    fs::create_dir(at("folder")).expect("it can be made");
    place.put("other/a.md", b"# longer than before");
    for mut found in walked.files {
        let before = found.stamp;
        let content = read::read(&dir, &mut found, &pace).expect("there is time");
        let name = found.path.to_str().expect("it is one").split('/').next().expect("it has one");
        let problem = content.problem.as_deref().unwrap_or_default();
        let expected = match name {
            "link" => "is a link, and links are not followed",
            "pipe" | "folder" => "is not a file any more",
            "gone" => "is not there",
            _ => "",
        };
        assert_eq!(problem, expected, "{name}");
        assert_eq!(content.digest.is_some(), name == "other");
        assert_eq!(&*content.title, if name == "other" { "longer than before" } else { "" });
        assert_eq!(found.stamp != before, name == "other", "what was read is what is known");
    }
    // A folder on the way becomes a link out of it.
    fs::remove_dir_all(place.path("other")).expect("it is there");
    outside.put("a.md", b"# secret");
    symlink(outside.path(""), place.path("other")).expect("a link can be made");
    let mut found = walk::walk(&dir, &folders[0], &pace).files;
    assert!(found.is_empty(), "{found:?}");
    place.put("more/a.md", b"# a");
    found = walk::walk(&dir, &folders[0], &pace).files;
    fs::remove_dir_all(place.path("more")).expect("it is there");
    symlink(outside.path(""), place.path("more")).expect("a link can be made");
    let content = read::read(&dir, &mut found[0], &pace).expect("there is time");
    assert!(content.digest.is_none() && content.problem.is_some() && content.title.is_empty(), "{content:?}");
}

#[test]
fn a_link_within_the_folder_does_not_lead_to_what_is_hidden_in_it() {
    let place = Place::new();
    place.put("open/a.md", b"# open");
    place.put(".hidden/a.md", b"# hidden");
    let folders = Folder::all(&[place.settings()]).expect("they are right");
    let dir = Dir::open_ambient_dir(place.path(""), ambient_authority()).expect("it is there");
    let pace = Pace::for_at_most(Duration::from_mins(5), Arc::default());
    let mut found = walk::walk(&dir, &folders[0], &pace).files;
    assert_eq!(found.len(), 1);
    fs::remove_dir_all(place.path("open")).expect("it is there");
    symlink(".hidden", place.path("open")).expect("a link can be made");
    let content = read::read(&dir, &mut found[0], &pace).expect("there is time");
    assert!(content.digest.is_none() && content.problem.is_some() && content.title.is_empty(), "{content:?}");
}

#[test]
fn names_and_texts_need_not_be_utf_8() {
    let place = Place::new();
    let names: [&[u8]; 3] = [b"\xff.md", b"\xfe.md", b"line\nbreak.md"];
    for name in names {
        place.put(OsStr::from_bytes(name), b"# title");
    }
    place.put("latin.md", b"# Gr\xf6\xdfe #tag");
    place.put("zero.md", b"# a\0b");
    place.put("long.md", &[&b"# long\n"[..], &vec![b'x'; (1 << 20) - 8], "ö".as_bytes()].concat());
    let index = place.look(&Index::default());
    let shown = paths(&index);
    assert_eq!(shown.iter().filter(|path| **path == "\u{fffd}.md").count(), 2);
    assert!(shown.contains(&"line break.md"));
    let ids: std::collections::HashSet<_> = index.files.iter().map(|known| &known.file.name).collect();
    assert_eq!(ids.len(), 6, "each has a name of its own");
    assert_eq!(file(&index, "\u{fffd}.md").problem, "its name is no UTF-8");
    assert_eq!(file(&index, "\u{fffd}.md").digest.len(), 64);
    assert_eq!(file(&index, "latin.md").problem, "is no text in UTF-8");
    assert_eq!(
        (&*file(&index, "latin.md").title, &*file(&index, "latin.md").tags[0]),
        ("Gr\u{fffd}\u{fffd}e #tag", "tag")
    );
    assert_eq!(file(&index, "zero.md").problem, "is no text in UTF-8");
    let long = file(&index, "long.md");
    assert_eq!((&*long.title, long.size_bytes), ("long", (1 << 20) + 1));
    assert!(long.problem.contains("first MiB"), "{}", long.problem);
}

#[test]
fn what_may_not_be_read_is_listed_with_what_is_wrong() {
    let place = Place::new();
    for path in ["open.md", "shut.md", "room/a.md"] {
        place.put(path, b"# title");
    }
    let mode = |path: &str, mode| {
        fs::set_permissions(place.path(path), fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    mode("", 0o755);
    mode("open.md", 0o644);
    mode("shut.md", 0o000);
    mode("room", 0o000);
    let index = std::thread::scope(|scope| {
        let looked = scope.spawn(|| {
            // Nothing is shut for root. On Linux this is of this thread alone.
            if rustix::process::geteuid().is_root() {
                let nobody = rustix::process::Uid::from_raw(65_534);
                rustix::thread::set_thread_uid(nobody).expect("root may be anybody");
            }
            place.look(&Index::default())
        });
        looked.join().expect("it does not panic")
    });
    mode("room", 0o755);
    assert_eq!(paths(&index), ["open.md", "shut.md"]);
    let shut = file(&index, "shut.md");
    assert_eq!((&*shut.problem, &*shut.digest, shut.size_bytes), ("may not be read by the agent", "", 7));
    assert_eq!(file(&index, "open.md").problem, "");
    assert_eq!(index.folders[0].problem, "\"room\" may not be read by the agent");
    // Once it may be read, it is, though nobody has written it.
    mode("shut.md", 0o644);
    assert_eq!(file(&place.look(&index), "shut.md").title, "title");
}

#[test]
fn depth_and_size_have_bounds_and_a_folder_may_be_missing() {
    let place = Place::new();
    let deep = ["d"; 70].join("/");
    place.put(format!("{deep}/a.md"), b"x");
    place.put("near/a.md", b"x");
    let huge = File::create(place.path("huge.pdf")).expect("it can be made");
    // It has no blocks, only a size.
    huge.set_len(300 << 20).expect("there is room");
    let missing = FolderSettings { name: "missing".into(), folder: place.path("none"), ..place.settings() };
    let index = look(&[place.settings(), missing], &Index::default());
    assert_eq!(paths(&index), ["huge.pdf", "near/a.md"]);
    assert_eq!(file(&index, "huge.pdf").problem, "has more than 256 MiB, and is not read");
    let problems: Vec<_> = index.folders.iter().map(|folder| (&*folder.folder, &*folder.problem)).collect();
    assert_eq!(problems[0], ("missing", "it is not there"));
    assert!(problems[1].1.ends_with("lies too deep"), "{problems:?}");
}
