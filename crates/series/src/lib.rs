//! Numbers over time: how they are written down, found, and asked. No I/O, no async.
//!
//! A *series* is a set of [`Labels`] and its samples. Series that are measured together (those of one host) are a
//! *group*: they share a column of times, which is most of what makes samples small. Samples travel, are logged and
//! are kept in one form, the [`Batch`]: times once, and a column of values for each series, whole numbers of some
//! decimal power where that is exact to the bit ([`column`]).
//!
//! - [`value`]: the values that are none: absent, and stale.
//! - [`labels`], [`index`]: names of series, and finding them by matchers.
//! - [`column`], [`batch`]: the encoding. Whatever bytes come in, decoding them ends with an error or a batch, within
//!   stated bounds.
//! - [`group`]: the newest samples of a group, in memory.
//! - [`promql`]: the language of Prometheus, over anything that is a [`promql::Source`].
//! - [`forecast`]: what a series is likely to be, and when it was not what it usually is.
//!
//! ```
//! use weft_series::{Batch, BatchLimits};
//!
//! let batch = Batch { times: vec![1_000, 3_000], columns: vec![(0, vec![20.5, 20.7])] };
//! let bytes = batch.encode();
//! assert_eq!(Batch::decode(&bytes, BatchLimits::default())?, batch);
//! # Ok::<(), weft_series::DecodeError>(())
//! ```

#![expect(
    clippy::float_cmp,
    reason = "values are kept and compared to the bit: that is what this crate is for"
)]

pub mod batch;
pub mod column;
pub mod forecast;
pub mod group;
pub mod index;
pub mod labels;
pub mod promql;
pub mod value;
mod varint;

pub use batch::{Batch, BatchLimits};
pub use labels::Labels;
pub use varint::{DecodeError, Reader, write_bytes, write_signed, write_unsigned};
