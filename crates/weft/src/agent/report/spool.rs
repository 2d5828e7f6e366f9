//! Reports on disk, while the mesh is away: two files, of which the older one goes when both are full.
//!
//! A file is reports, each after its length; each file defines its series before it has samples of them. What is read
//! back was maybe sent before: samples that come twice are one sample.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use prost_reflect::prost::Message;
use weft_proto::weft::telemetry::v1::{Report, SeriesDefinition};

/// Longest report that is read back.
const LONGEST: u32 = 8 << 20;

/// Reports on disk.
pub(super) struct Spool {
    folder: PathBuf,
    limit: u64,
    newer: Option<File>,
    written: u64,
    defined: HashSet<i32>,
}

impl Spool {
    pub(super) fn new(folder: PathBuf, limit: u64) -> Self {
        Self { folder, limit, newer: None, written: 0, defined: HashSet::new() }
    }

    fn files(&self) -> [PathBuf; 2] {
        ["telemetry.spool.1", "telemetry.spool"].map(|name| self.folder.join(name))
    }

    /// Keeps a report; `series` are all that it is of.
    pub(super) fn keep(&mut self, mut report: Report, series: &[SeriesDefinition]) -> io::Result<()> {
        if self.newer.is_none() || self.written * 2 >= self.limit {
            self.begin()?;
        }
        report.series = series.iter().filter(|series| self.defined.insert(series.number)).cloned().collect();
        let bytes = report.encode_to_vec();
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if let Some(file) = &mut self.newer {
            file.write_all(&[&length.to_le_bytes()[..], &bytes].concat())?;
            self.written += u64::from(length) + 4;
        }
        Ok(())
    }

    /// Begins a file; what was in it is the older one now.
    fn begin(&mut self) -> io::Result<()> {
        let [older, newer] = self.files();
        match fs::rename(&newer, older) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(newer)?;
        self.newer = Some(file);
        self.written = 0;
        self.defined.clear();
        Ok(())
    }

    /// The reports of each file, the older first. What is cut off at a file's end, because the program died, is left
    /// out.
    pub(super) fn read(&mut self) -> Vec<impl Iterator<Item = Report> + Send + use<>> {
        // What comes now goes to a new file, and not behind what is read.
        self.newer = None;
        let files = self.files().into_iter().filter_map(|file| File::open(file).ok());
        files.map(|file| reports(BufReader::new(file))).collect()
    }

    /// All of it is on the disk of the mesh.
    pub(super) fn clear(&mut self) {
        self.newer = None;
        for file in self.files() {
            if let Err(error) = fs::remove_file(&file)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, file = %file.display(), "reports that were sent stay on disk");
            }
        }
    }
}

fn reports(mut file: BufReader<File>) -> impl Iterator<Item = Report> + Send {
    std::iter::from_fn(move || {
        let mut length = [0; 4];
        file.read_exact(&mut length).ok()?;
        let length = u32::from_le_bytes(length);
        if length > LONGEST {
            return None;
        }
        let mut bytes = vec![0; length as usize];
        file.read_exact(&mut bytes).ok()?;
        Report::decode(bytes.as_slice()).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(number: u8) -> Report {
        Report { samples: vec![number; 100].into(), ..Report::default() }
    }

    #[test]
    fn reports_come_back_and_the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let series = [SeriesDefinition { number: 3, metric: "m".into(), ..SeriesDefinition::default() }];
        let mut spool = Spool::new(folder.path().to_owned(), 2_000);
        for number in 0..30 {
            spool.keep(report(number), &series).unwrap();
        }
        let mut spool = Spool::new(folder.path().to_owned(), 2_000);
        let mut seen = Vec::new();
        for file in spool.read() {
            let reports: Vec<Report> = file.collect();
            assert_eq!(reports[0].series, series);
            assert!(reports[1..].iter().all(|report| report.series.is_empty()));
            seen.extend(reports.iter().map(|report| report.samples[0]));
        }
        assert!(seen.len() < 25 && seen.is_sorted() && seen.last() == Some(&29), "{seen:?}");
        // A file that is cut off ends with its last whole report.
        let file = folder.path().join("telemetry.spool");
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - 7]).unwrap();
        let last = spool.read().pop().unwrap().last().unwrap();
        assert_eq!(last.samples[0], 28);
        spool.clear();
        assert!(spool.read().is_empty());
    }
}
