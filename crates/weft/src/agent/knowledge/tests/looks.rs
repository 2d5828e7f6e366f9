//! What is found, and what is done again.

use super::*;

#[test]
fn files_are_found_with_what_they_tell() {
    let place = Place::new();
    place.put("b/Engine.md", b"---\ntags: [motors]\nauthor: Ada\n---\n# The engine\n[[Numbers]] #heat\n");
    place.put("a.txt", b"plain");
    place.put("b/table.csv", b"x,y\n");
    place.put("b/program.exe", b"\x7fELF");
    place.put(".git/config.md", b"hidden");
    place.put("graph/logseq/config.edn", b"{}");
    place.put("graph/pages/a___b.md", b"tags:: x\n\n- [[y]]");
    let index = place.look(&Index::default());
    assert_eq!(paths(&index), ["a.txt", "b/Engine.md", "b/table.csv", "graph/pages/a___b.md"]);
    let engine = file(&index, "b/Engine.md");
    assert_eq!(
        (&*engine.title, &*engine.folder, engine.kind().as_str_name()),
        ("The engine", "notes", "KNOWLEDGE_FILE_KIND_MARKDOWN")
    );
    assert_eq!(
        (&engine.tags, &engine.links, engine.link_count),
        (&vec!["motors".to_owned(), "heat".to_owned()], &vec!["Numbers".to_owned()], 1)
    );
    assert_eq!((&*engine.creators[0], &*engine.problem), ("Ada", ""));
    let plain = file(&index, "a.txt");
    assert_eq!((&*plain.title, plain.size_bytes), ("a", 5));
    // `printf plain | sha256sum`.
    assert_eq!(plain.digest, "a116c9ed46d6207734a43317d30fd88f52ac8634c37d904bbf4e41d865f90475");
    let page = file(&index, "graph/pages/a___b.md");
    assert_eq!((&*page.title, &*page.tags[0]), ("a/b", "x"));
    let [folder] = &index.folders[..] else { panic!("there is one") };
    assert_eq!((folder.file_count, folder.problem_count, &*folder.problem), (4, 0, ""));
    assert!(index.scanned.is_some());
}

#[test]
fn patterns_say_what_is_listed() {
    let place = Place::new();
    for path in ["keep/a.log", "keep/b.md", "drafts/a.log", "drafts/deep/a.log", "a.md"] {
        place.put(path, b"x");
    }
    let asked = FolderSettings {
        include: vec!["**/*.log".into()],
        exclude: vec!["drafts".into()],
        ..place.settings()
    };
    let index = look(&[asked], &Index::default());
    assert_eq!(paths(&index), ["keep/a.log"]);
    assert_eq!(file(&index, "keep/a.log").kind().as_str_name(), "KNOWLEDGE_FILE_KIND_OTHER");
}

#[test]
fn only_what_has_changed_is_read_again() {
    let place = Place::new();
    for number in 0..100 {
        for name in 0..100 {
            place.put(format!("{number:02}/{name:02}.md"), format!("# {number} {name}").as_bytes());
        }
    }
    let first = place.look(&Index::default());
    assert_eq!((first.files.len(), &*file(&first, "07/42.md").title), (10_000, "7 42"));
    let second = place.look(&first);
    let changed = |one: &Index, other: &Index| {
        let pairs = one.files.iter().zip(&other.files);
        pairs.filter(|(one, other)| !Arc::ptr_eq(one, other)).count()
    };
    assert_eq!((second.files.len(), changed(&first, &second)), (10_000, 0));

    // One is written with the same length, one is deleted, one is new, one is moved.
    place.put("07/42.md", b"# 8 42");
    fs::remove_file(place.path("99/99.md")).expect("it is there");
    place.put("99/98a.md", b"# new");
    fs::rename(place.path("00/00.md"), place.path("00/00a.md")).expect("it is there");
    let third = place.look(&second);
    assert_eq!(third.files.len(), 10_000);
    assert_eq!(changed(&second, &third), 3);
    assert_eq!((&*file(&third, "07/42.md").title, &*file(&third, "99/98a.md").title), ("8 42", "new"));
    assert_eq!(file(&third, "00/00a.md").digest, file(&second, "00/00.md").digest);
    assert_ne!(file(&third, "00/00a.md").name, file(&second, "00/00.md").name);
}

#[test]
fn what_may_be_written_again_within_the_same_tick_is_not_trusted_yet() {
    let place = Place::new();
    place.put("a.md", b"# a");
    let file = File::options().write(true).open(place.path("a.md")).expect("it is there");
    file.set_modified(Clock::system().now() + Duration::from_hours(1)).expect("it is ours");
    let first = place.look(&Index::default());
    assert!(!known(&first, "a.md").is_settled);
    place.put("a.md", b"# a");
    let second = place.look(&first);
    assert!(known(&second, "a.md").is_settled);
}

#[test]
fn limits_leave_the_rest_out_and_say_so() {
    let place = Place::new();
    for name in ["c.md", "a.md", "b.md"] {
        place.put(name, b"x");
    }
    let of = |max_files| look(&[FolderSettings { max_files, ..place.settings() }], &Index::default());
    assert_eq!((of(3).files.len(), &*of(3).folders[0].problem), (3, ""));
    assert_eq!(paths(&of(2)), ["a.md", "b.md"]);
    assert!(of(2).folders[0].problem.contains("more than 2 files"));

    let folders = Folder::all(&[place.settings()]).expect("they are right");
    let no_time = Pace::for_at_most(Duration::ZERO, Arc::default());
    let index = scan::scan(&folders, &Index::default(), &no_time, &mut |_| {}).expect("nobody stops it");
    assert!(index.folders[0].problem.contains("takes too long"), "{:?}", index.folders);
    let stopped = Pace::for_at_most(Duration::from_mins(1), Arc::new(true.into()));
    assert!(scan::scan(&folders, &Index::default(), &stopped, &mut |_| {}).is_none());
}

#[test]
fn a_first_look_tells_what_it_has_found_before_it_has_read_it() {
    let place = Place::new();
    for name in 0..600 {
        place.put(format!("{name:03}.md"), b"# title");
    }
    let folders = Folder::all(&[place.settings()]).expect("they are right");
    let pace = Pace::for_at_most(Duration::from_mins(5), Arc::default());
    let mut told = Vec::new();
    let last = scan::scan(&folders, &Index::default(), &pace, &mut |index| {
        let read = index.files.iter().filter(|known| !known.file.digest.is_empty()).count();
        told.push((index.files.len(), read, index.scanned.is_some()));
    });
    assert_eq!(told, [(600, 0, false), (600, 250, false), (600, 500, false)]);
    assert!(last.is_some_and(|index| index.files.iter().all(|known| known.file.title == "title")));
}

#[test]
fn a_folder_that_becomes_a_graph_is_read_as_one() {
    let place = Place::new();
    place.put("graph/pages/a___b.md", b"tags:: x\n\n- [[y]]");
    let before = place.look(&Index::default());
    assert_eq!(file(&before, "graph/pages/a___b.md").title, "a___b");
    place.put("graph/logseq/config.edn", b"{}");
    assert_eq!(file(&place.look(&before), "graph/pages/a___b.md").title, "a/b");
}

#[test]
fn a_look_without_time_says_so_and_is_gone_on_with() {
    let place = Place::new();
    place.put("a.md", b"# a");
    let folders = Folder::all(&[place.settings()]).expect("they are right");
    let no_time = Pace::for_at_most(Duration::ZERO, Arc::default());
    let cut = scan::scan(&folders, &Index::default(), &no_time, &mut |_| {}).expect("nobody stops it");
    assert!(cut.is_cut && !cut.folders[0].problem.is_empty(), "{:?}", cut.folders);
    let whole = place.look(&cut);
    assert!(!whole.is_cut && whole.folders[0].problem.is_empty());
    assert_eq!(paths(&whole), ["a.md"]);
}
