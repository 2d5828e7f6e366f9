//! What the files of one import share: the readers of their formats, and how much has been read.

use weft_proto::weft::graph::v1::GraphFormat;

use super::format_reader::FormatReader;
use super::out::Out;
use super::pages::read::PagesReader;
use super::{
    FormatError, Position, ReadOptions, Sink, csv, edge_list, gexf, graphml, json_graph, logseq, markdown,
};

/// What all files share.
pub(super) struct Core {
    pub(super) options: ReadOptions,
    formats: Vec<(GraphFormat, Box<dyn FormatReader>)>,
    /// Which kind of folder the pages are of; the first page tells.
    pub(super) pages: Option<GraphFormat>,
    total_bytes: u64,
    files: u64,
}

impl Core {
    pub(super) fn new(options: ReadOptions) -> Self {
        Self { options, formats: Vec::new(), pages: None, total_bytes: 0, files: 0 }
    }

    /// There are no more files: each format hands on what it could not tell before.
    pub(super) fn finish(&mut self, sink: &mut dyn Sink) -> Result<(), FormatError> {
        let Self { options, formats, files, .. } = self;
        if formats.is_empty() {
            let problem = match files {
                0 => "the import has no files".to_owned(),
                _ => "none of the files is of a known format; name the format if you know it".to_owned(),
            };
            return Err(FormatError::Unsupported { at: Position::default(), problem });
        }
        for (_, reader) in formats {
            reader.finish(&mut Out { sink, options, path: "" })?;
        }
        Ok(())
    }

    pub(super) fn count_file(&mut self, path: &str) -> Result<(), FormatError> {
        self.files += 1;
        let limit = self.options.limits.max_files;
        if self.files > limit {
            let problem = "the import has too many files".to_owned();
            return Err(FormatError::TooLarge { at: Position::file(path), problem, limit });
        }
        Ok(())
    }

    /// Counts unpacked bytes of a file and of the import.
    pub(super) fn count_bytes(
        &mut self,
        path: &str,
        of_file: u64,
        new: u64,
        archive: bool,
    ) -> Result<(), FormatError> {
        self.total_bytes += new;
        let limits = &self.options.limits;
        let (problem, limit) = if self.total_bytes > limits.max_total_bytes {
            ("the files have too many bytes together, decompressed", limits.max_total_bytes)
        } else if !archive && of_file > limits.max_file_bytes {
            ("the file has too many bytes, decompressed", limits.max_file_bytes)
        } else {
            return Ok(());
        };
        let at = Position { path: path.to_owned(), line: 0, byte: Some(of_file) };
        Err(FormatError::TooLarge { at, problem: problem.to_owned(), limit })
    }

    /// Calls the reader of a format for a file.
    pub(super) fn with(
        &mut self,
        format: GraphFormat,
        path: &str,
        sink: &mut dyn Sink,
        work: impl FnOnce(&mut dyn FormatReader, &mut Out<'_>) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        let at = self.formats.iter().position(|(known, _)| *known == format).unwrap_or_else(|| {
            self.formats.push((format, reader_of(format)));
            self.formats.len() - 1
        });
        work(&mut *self.formats[at].1, &mut Out { sink, options: &self.options, path })
    }
}

fn reader_of(format: GraphFormat) -> Box<dyn FormatReader> {
    match format {
        GraphFormat::Markdown => Box::new(PagesReader::new(markdown::MarkdownDialect)),
        GraphFormat::Logseq => Box::new(PagesReader::new(logseq::LogseqDialect)),
        GraphFormat::Csv => Box::new(csv::CsvReader::default()),
        GraphFormat::Graphml => Box::new(graphml::GraphmlReader::default()),
        GraphFormat::Gexf => Box::new(gexf::GexfReader::default()),
        GraphFormat::JsonGraph => Box::new(json_graph::JsonGraphReader::default()),
        GraphFormat::EdgeList | GraphFormat::Unspecified => Box::new(edge_list::EdgeListReader::default()),
    }
}
