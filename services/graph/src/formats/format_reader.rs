//! What a format has to do to be read.

use super::FormatError;
use super::out::Out;

/// Reads one format. One of them lives through all files of an import, because some say what
/// another means: a table of nodes beside one of edges, a page that links to another.
pub(super) trait FormatReader: Send {
    /// A file begins.
    fn begin(&mut self, out: &mut Out<'_>) -> Result<(), FormatError>;
    /// Its next characters, never none.
    fn text(&mut self, text: &str, out: &mut Out<'_>) -> Result<(), FormatError>;
    /// It ends.
    fn end(&mut self, out: &mut Out<'_>) -> Result<(), FormatError>;
    /// There are no more files.
    fn finish(&mut self, out: &mut Out<'_>) -> Result<(), FormatError>;
}
