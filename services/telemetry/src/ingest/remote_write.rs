//! Prometheus remote write 1.0: `prometheus.WriteRequest`, packed with snappy.
//!
//! The message is read where it lies: most of it is labels that are known already, and making texts of them would be
//! most of the work.

use weft_series::{DecodeError, Labels, Reader, value::kept};

use super::{MOST_BYTES, Taken};
use crate::{
    Error,
    samples::{project::Metric, projects::Shared},
    state::State,
};

/// Most samples of one request.
const MOST_SAMPLES: usize = 1_000_000;

pub(crate) fn read(state: &State, project: &Shared, content: &[u8]) -> Result<Taken, Error> {
    let size = snap::raw::decompress_len(content).map_err(|error| Error::Samples(error.to_string()))?;
    if size > MOST_BYTES {
        return Err(Error::TooLarge(MOST_BYTES));
    }
    let request = snap::raw::Decoder::new()
        .decompress_vec(content)
        .map_err(|error| Error::Samples(format!("snappy: {error}")))?;
    let mut taken = Taken::default();
    let mut count = 0;
    let wrong = |error: DecodeError| Error::Samples(format!("the WriteRequest {error}"));
    for field in fields(&request) {
        match field.map_err(wrong)? {
            (1, Field::Bytes(series)) => {
                let series = time_series(series).map_err(wrong)?;
                count += series.samples.len();
                if count > MOST_SAMPLES {
                    return Err(Error::Samples(format!("more than {MOST_SAMPLES} in one request")));
                }
                let labels = Labels::new(series.labels);
                if let Some(place) = taken.place(state, project, &labels, series.samples.len() as u64) {
                    for (time, value) in series.samples {
                        taken.table.add(place.group, place.number, time, value);
                    }
                }
            }
            (3, Field::Bytes(metadata)) => tell(project, metadata).map_err(wrong)?,
            _ => {}
        }
    }
    Ok(taken)
}

struct TimeSeries<'m> {
    labels: Vec<(&'m str, &'m str)>,
    samples: Vec<(i64, f64)>,
}

fn time_series(message: &[u8]) -> Result<TimeSeries<'_>, DecodeError> {
    let mut series = TimeSeries { labels: Vec::with_capacity(8), samples: Vec::with_capacity(1) };
    for field in fields(message) {
        match field? {
            (1, Field::Bytes(label)) => {
                let (mut name, mut value) = ("", "");
                for field in fields(label) {
                    match field? {
                        (1, Field::Bytes(bytes)) => name = text(bytes)?,
                        (2, Field::Bytes(bytes)) => value = text(bytes)?,
                        _ => {}
                    }
                }
                series.labels.push((name, value));
            }
            (2, Field::Bytes(sample)) => {
                let (mut value, mut time) = (0.0, 0);
                for field in fields(sample) {
                    match field? {
                        (1, Field::Fixed(bits)) => value = f64::from_bits(bits),
                        (2, Field::Number(number)) => time = number as i64,
                        _ => {}
                    }
                }
                series.samples.push((time, kept(value)));
            }
            _ => {}
        }
    }
    Ok(series)
}

fn tell(project: &Shared, message: &[u8]) -> Result<(), DecodeError> {
    let (mut name, mut metric) = ("", Metric::default());
    for field in fields(message) {
        match field? {
            // Prometheus and the contract number these four alike, but for the first two.
            (1, Field::Number(kind)) => {
                metric.kind = match kind {
                    1 => 2,
                    2 => 1,
                    3 => 3,
                    5 => 4,
                    _ => 0,
                }
            }
            (2, Field::Bytes(bytes)) => name = text(bytes)?,
            (4, Field::Bytes(bytes)) => metric.description = shortened(text(bytes)?, 500),
            (5, Field::Bytes(bytes)) => metric.unit = shortened(text(bytes)?, 63),
            _ => {}
        }
    }
    if !name.is_empty() && name.len() <= 200 {
        project.write().tell(name, metric);
    }
    Ok(())
}

pub(super) fn shortened(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError("holds a text that is no UTF-8"))
}

enum Field<'m> {
    Number(u64),
    Fixed(u64),
    Bytes(&'m [u8]),
}

/// The fields of a message of protocol buffers.
fn fields(message: &[u8]) -> impl Iterator<Item = Result<(u64, Field<'_>), DecodeError>> {
    let mut reader = Reader::new(message);
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over || reader.is_empty() {
            return None;
        }
        let field = next(&mut reader);
        is_over = field.is_err();
        Some(field)
    })
}

fn next<'m>(reader: &mut Reader<'m>) -> Result<(u64, Field<'m>), DecodeError> {
    let key = reader.unsigned()?;
    let fixed = |bytes: &[u8]| bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
    let field = match key & 7 {
        0 => Field::Number(reader.unsigned()?),
        1 => Field::Fixed(fixed(reader.take(8)?)),
        2 => Field::Bytes(reader.bytes()?),
        5 => Field::Fixed(fixed(reader.take(4)?)),
        _ => return Err(DecodeError("has a field of an unknown kind")),
    };
    Ok((key >> 3, field))
}
