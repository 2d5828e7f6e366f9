//! A decompressed file: decodes it, finds out its format, and gives it to the reader of that.

use weft_proto::weft::graph::v1::GraphFormat;

use super::core::Core;
use super::detect::{self, ByName};
use super::out::Out;
use super::text::Utf8;
use super::{FormatError, Sink};

/// A decompressed file.
#[derive(Default)]
pub(super) struct Document {
    utf8: Utf8,
    state: State,
}

#[derive(Default)]
enum State {
    /// Nothing has come.
    #[default]
    New,
    /// The first characters, until they tell the format.
    Sniffing { head: String, by_name: ByName },
    /// In the hands of a reader.
    Reading(GraphFormat),
    /// Left out.
    Skipped,
}

impl Document {
    /// Takes the next bytes.
    pub(super) fn push(
        &mut self,
        path: &str,
        plain: &[u8],
        core: &mut Core,
        sink: &mut dyn Sink,
    ) -> Result<(), FormatError> {
        self.state.start(path, core, sink)?;
        if matches!(self.state, State::Skipped) {
            return Ok(());
        }
        let Self { utf8, state } = self;
        utf8.push(path, plain, |text| state.text(path, text, core, sink))
    }

    /// Takes its end.
    pub(super) fn finish(
        &mut self,
        path: &str,
        core: &mut Core,
        sink: &mut dyn Sink,
    ) -> Result<(), FormatError> {
        self.state.start(path, core, sink)?;
        if matches!(self.state, State::Skipped) {
            return Ok(());
        }
        self.utf8.finish(path)?;
        if let State::Sniffing { .. } = self.state {
            self.state.decide(path, core, sink)?;
        }
        match self.state {
            State::Reading(format) => core.with(format, path, sink, |reader, out| reader.end(out)),
            _ => Ok(()),
        }
    }
}

impl State {
    /// Decides by the name, once.
    fn start(&mut self, path: &str, core: &mut Core, sink: &mut dyn Sink) -> Result<(), FormatError> {
        if !matches!(self, Self::New) {
            return Ok(());
        }
        let asked = core.options.format.unwrap_or_default();
        let by_name = match asked {
            GraphFormat::Unspecified => detect::by_name(path),
            GraphFormat::Markdown | GraphFormat::Logseq if !detect::is_page(path) => ByName::Internal,
            format => ByName::Format(format),
        };
        // What lies beside pages are their attachments, whatever it is.
        let attachment = core.pages.is_some() && by_name != ByName::Page;
        match by_name {
            ByName::Page | ByName::Sniff { .. } if !attachment => {
                *self = Self::Sniffing { head: String::new(), by_name };
            }
            ByName::Format(format) if !attachment => {
                core.with(format, path, sink, |reader, out| reader.begin(out))?;
                *self = Self::Reading(format);
            }
            ByName::Unknown if !attachment => self.skip(path, core, sink),
            _ => *self = Self::Skipped,
        }
        Ok(())
    }

    fn text(
        &mut self,
        path: &str,
        text: &str,
        core: &mut Core,
        sink: &mut dyn Sink,
    ) -> Result<(), FormatError> {
        match self {
            Self::Reading(_) if text.is_empty() => Ok(()),
            Self::Reading(format) => core.with(*format, path, sink, |reader, out| reader.text(text, out)),
            Self::Sniffing { head, .. } => {
                head.push_str(text);
                if head.len() >= detect::SNIFF_BYTES { self.decide(path, core, sink) } else { Ok(()) }
            }
            Self::New | Self::Skipped => Ok(()),
        }
    }

    /// Decides by the first characters.
    fn decide(&mut self, path: &str, core: &mut Core, sink: &mut dyn Sink) -> Result<(), FormatError> {
        let Self::Sniffing { head, by_name } = std::mem::take(self) else { return Ok(()) };
        let found = match by_name {
            ByName::Sniff { fallback } => detect::by_content(&head, fallback),
            _ => Some(*core.pages.get_or_insert_with(|| detect::page_format(path, &head))),
        };
        let Some(format) = found else {
            self.skip(path, core, sink);
            return Ok(());
        };
        core.with(format, path, sink, |reader, out| reader.begin(out))?;
        *self = Self::Reading(format);
        self.text(path, &head, core, sink)
    }

    fn skip(&mut self, path: &str, core: &Core, sink: &mut dyn Sink) {
        Out { sink, options: &core.options, path }.warn(0, "the file is of no known format and is left out");
        *self = Self::Skipped;
    }
}
