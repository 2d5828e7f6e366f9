//! How many files are there, and of what?

use std::collections::HashMap;

use weft_kit::span;
use weft_proto::weft::agent::v1::KnowledgeStatistics;

use super::{View, kind};

/// The most frequent tags and people.
const MOST: usize = 50;

/// Counts all that are known.
pub(super) fn count(view: &View) -> KnowledgeStatistics {
    let index = &view.index;
    let (mut kinds, mut tags, mut creators) = (HashMap::new(), HashMap::new(), HashMap::new());
    for known in &index.files {
        let file = &known.file;
        *kinds.entry(kind::word(file.kind())).or_default() += 1;
        file.tags.iter().for_each(|tag| *tags.entry(tag.as_str()).or_default() += 1);
        file.creators.iter().for_each(|creator| *creators.entry(creator.as_str()).or_default() += 1);
    }
    let folders = index.folders.clone();
    KnowledgeStatistics {
        file_count: folders.iter().map(|folder| folder.file_count).sum(),
        size_bytes: folders.iter().fold(0, |sum: i64, folder| sum.saturating_add(folder.size_bytes)),
        problem_count: folders.iter().map(|folder| folder.problem_count).sum(),
        folders,
        kinds: most(kinds),
        tags: most(tags),
        creators: most(creators),
        scan_time: index.scanned.map(|(time, _)| time),
        scan_duration: index.scanned.map(|(_, took)| span::of(took)),
        scanning: view.is_scanning,
    }
}

/// Those that are counted most often; of equals, the first by name.
fn most(counts: HashMap<&str, i64>) -> HashMap<String, i64> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
    counts.into_iter().take(MOST).map(|(name, count)| (name.to_owned(), count)).collect()
}
