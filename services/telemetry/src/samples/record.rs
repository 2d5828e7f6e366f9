//! What an entry of the log says: records, one after the other.
//!
//! Groups and series are defined before the first batch that has them, once in the life of the log: when it is
//! shortened, they are defined anew. So each entry is understood with those before it that are still there.

use uuid::Uuid;
use weft_series::{DecodeError, Labels, Reader, write_bytes, write_signed, write_unsigned};

const GROUP: u8 = 1;
const SERIES: u8 = 2;
const BATCH: u8 = 3;
const REPORTER: u8 = 4;
const METRIC: u8 = 5;
const EVENTS: u8 = 6;

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record<'r> {
    /// A group of a project, by a number of the log.
    Group { number: u64, project: &'r str, key: &'r str },
    /// A series of a group, by its column.
    Series { group: u64, column: u32, labels: Labels },
    /// Samples of a group.
    Batch { group: u64, bytes: &'r [u8] },
    /// How far a source of reports has come.
    Reporter { project: &'r str, source: &'r str, incarnation: Uuid, sequence: i64 },
    /// What a metric is.
    Metric { project: &'r str, metric: &'r str, kind: i32, unit: &'r str, description: &'r str },
    /// A chunk of logs or spans, which of them the entry says; with what a repeat is known by, and when it came.
    Events { project: &'r str, digest: [u8; 16], time: i64, chunk: &'r [u8] },
}

impl Record<'_> {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Group { number, project, key } => {
                out.push(GROUP);
                write_unsigned(out, *number);
                write_bytes(out, project.as_bytes());
                write_bytes(out, key.as_bytes());
            }
            Self::Series { group, column, labels } => {
                out.push(SERIES);
                write_unsigned(out, *group);
                write_unsigned(out, u64::from(*column));
                write_bytes(out, labels.as_bytes());
            }
            Self::Batch { group, bytes } => {
                out.push(BATCH);
                write_unsigned(out, *group);
                write_bytes(out, bytes);
            }
            Self::Reporter { project, source, incarnation, sequence } => {
                out.push(REPORTER);
                write_bytes(out, project.as_bytes());
                write_bytes(out, source.as_bytes());
                out.extend(incarnation.as_bytes());
                write_unsigned(out, *sequence as u64);
            }
            Self::Metric { project, metric, kind, unit, description } => {
                out.push(METRIC);
                for text in [project, metric, unit, description] {
                    write_bytes(out, text.as_bytes());
                }
                write_unsigned(out, *kind as u64);
            }
            Self::Events { project, digest, time, chunk } => {
                out.push(EVENTS);
                write_bytes(out, project.as_bytes());
                out.extend(digest);
                write_signed(out, *time);
                write_bytes(out, chunk);
            }
        }
    }
}

/// The records of an entry.
///
/// # Errors
/// The entry is damaged.
pub(crate) fn read(content: &[u8]) -> Result<Vec<Record<'_>>, DecodeError> {
    let mut reader = Reader::new(content);
    let mut records = Vec::new();
    while !reader.is_empty() {
        records.push(next(&mut reader)?);
    }
    Ok(records)
}

fn next<'r>(reader: &mut Reader<'r>) -> Result<Record<'r>, DecodeError> {
    Ok(match reader.byte()? {
        GROUP => Record::Group { number: reader.unsigned()?, project: text(reader)?, key: text(reader)? },
        SERIES => {
            let (group, column) = (reader.unsigned()?, reader.count(u32::MAX as usize)? as u32);
            Record::Series { group, column, labels: Labels::from_bytes(reader.bytes()?)? }
        }
        BATCH => Record::Batch { group: reader.unsigned()?, bytes: reader.bytes()? },
        REPORTER => {
            let (project, source) = (text(reader)?, text(reader)?);
            let incarnation =
                Uuid::from_slice(reader.take(16)?).map_err(|_| DecodeError("has no incarnation"))?;
            Record::Reporter { project, source, incarnation, sequence: reader.unsigned()? as i64 }
        }
        METRIC => {
            let (project, metric) = (text(reader)?, text(reader)?);
            let (unit, description) = (text(reader)?, text(reader)?);
            Record::Metric { project, metric, unit, description, kind: reader.unsigned()? as i32 }
        }
        EVENTS => {
            let project = text(reader)?;
            let mut digest = [0; 16];
            digest.copy_from_slice(reader.take(16)?);
            Record::Events { project, digest, time: reader.signed()?, chunk: reader.bytes()? }
        }
        _ => return Err(DecodeError("has a record of an unknown kind")),
    })
}

pub(crate) fn text<'r>(reader: &mut Reader<'r>) -> Result<&'r str, DecodeError> {
    std::str::from_utf8(reader.bytes()?).map_err(|_| DecodeError("holds a text that is no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_read_back_as_written() {
        let records = [
            Record::Group { number: 300, project: "p", key: "agents/a" },
            Record::Series { group: 300, column: 2, labels: Labels::new([("__name__", "up")]) },
            Record::Batch { group: 300, bytes: b"batch" },
            Record::Reporter { project: "p", source: "s", incarnation: Uuid::from_u128(7), sequence: 9 },
            Record::Metric { project: "p", metric: "up", kind: 2, unit: "s", description: "α" },
            Record::Events { project: "p", digest: [7; 16], time: -5, chunk: b"chunk" },
        ];
        let mut out = Vec::new();
        for record in &records {
            record.write(&mut out);
        }
        assert_eq!(read(&out).unwrap(), records);
        for end in 1..out.len() {
            let _ = read(&out[..end]);
        }
        assert!(read(&[9]).is_err());
    }
}
