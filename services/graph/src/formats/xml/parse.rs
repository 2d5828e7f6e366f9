//! Parses XML that comes in pieces: elements, attributes and text, and nothing that XML can do beyond
//! them. No entity but the five predefined ones is known, no document type definition is read.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Error, Reader, XmlVersion};

use super::super::out::Out;
use super::super::{FormatError, Position};

/// Most attributes of one tag; each is compared with all before it.
const MAX_ATTRIBUTES: usize = 256;

/// The attributes of a start tag, without name space prefixes.
pub(in super::super) struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// Takes the value of an attribute.
    pub(in super::super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }
}

/// Takes elements in the order of the document. Names come without name space prefixes.
pub(in super::super) trait Handler {
    /// A start tag.
    fn start(
        &mut self,
        name: &str,
        attributes: Attributes,
        line: u64,
        out: &mut Out<'_>,
    ) -> Result<(), FormatError>;
    /// An end tag, with the text since the last tag.
    fn end(&mut self, name: &str, text: &str, line: u64, out: &mut Out<'_>) -> Result<(), FormatError>;
}

/// Parses one document.
#[derive(Default)]
pub(in super::super) struct XmlParser {
    /// Text that is not yet parsed.
    buffer: String,
    /// Bytes of the buffer that were tried and found to be no whole event.
    tried: usize,
    line: u64,
    /// Names of the open elements, with their prefixes.
    open: Vec<String>,
    /// Text since the last tag.
    text: String,
    root_seen: bool,
}

/// What became of an attempt to parse.
enum Step {
    /// The event was used.
    Used,
    /// More input is needed.
    Hungry,
}

impl XmlParser {
    /// Parses a piece.
    pub(in super::super) fn push(
        &mut self,
        text: &str,
        handler: &mut dyn Handler,
        out: &mut Out<'_>,
    ) -> Result<(), FormatError> {
        self.buffer.push_str(text);
        // Trying again only when the rest has doubled keeps a long tag that comes byte by byte linear.
        if self.buffer.len() < self.tried * 2 {
            return Ok(());
        }
        self.run(false, handler, out)?;
        self.tried = self.buffer.len();
        let max = out.limits().max_record_bytes;
        if self.buffer.len() > max {
            return Err(out.too_large(self.line + 1, "a tag or text has too many bytes", max));
        }
        Ok(())
    }

    /// Parses the rest and checks that the document is whole.
    pub(in super::super) fn finish(
        &mut self,
        handler: &mut dyn Handler,
        out: &mut Out<'_>,
    ) -> Result<(), FormatError> {
        self.run(true, handler, out)?;
        let line = self.line + 1;
        match self.open.last() {
            Some(name) => Err(out.truncated(line, format!("the document ends inside <{name}>"))),
            None if !self.root_seen => Err(out.truncated(line, "the document has no element")),
            None => Ok(()),
        }
    }

    fn run(&mut self, last: bool, handler: &mut dyn Handler, out: &mut Out<'_>) -> Result<(), FormatError> {
        let buffer = std::mem::take(&mut self.buffer);
        let mut reader = Reader::from_str(&buffer);
        reader.config_mut().check_end_names = false;
        reader.config_mut().allow_unmatched_ends = true;
        let mut used = 0;
        while used < buffer.len() {
            let event = reader.read_event();
            let end = reader.buffer_position() as usize;
            let pending = &buffer[used..];
            let step = match event {
                // Text that reaches the end may go on in the next piece.
                Ok(Event::Text(_) | Event::GeneralRef(_)) if end >= buffer.len() && !last => Step::Hungry,
                Ok(event) => self.event(event, handler, out)?,
                Err(error) if !last && may_go_on(&error, pending) => Step::Hungry,
                Err(error) => return Err(self.wrong(&error, last && may_go_on(&error, pending), out)),
            };
            if matches!(step, Step::Hungry) {
                break;
            }
            let end = end.min(buffer.len());
            self.line += memchr::memchr_iter(b'\n', &buffer.as_bytes()[used..end]).count() as u64;
            used = end;
        }
        buffer[used..].clone_into(&mut self.buffer);
        Ok(())
    }

    fn event(
        &mut self,
        event: Event<'_>,
        handler: &mut dyn Handler,
        out: &mut Out<'_>,
    ) -> Result<Step, FormatError> {
        let line = self.line + 1;
        match event {
            Event::Start(tag) => self.start(&tag, handler, out)?,
            Event::Empty(tag) => {
                self.start(&tag, handler, out)?;
                self.end(handler, out)?;
            }
            Event::End(tag) => {
                let name = tag.name();
                if self.open.last().map(String::as_bytes) != Some(name.as_ref()) {
                    let found = String::from_utf8_lossy(name.as_ref()).into_owned();
                    let expected = self.open.last().map_or("no end tag", String::as_str);
                    return Err(out.syntax(line, format!("</{found}> where {expected} is open")));
                }
                self.end(handler, out)?;
            }
            Event::Text(text) => {
                let text = text.xml10_content().map_err(|error| out.syntax(line, error.to_string()))?;
                self.add_text(&text, out)?;
            }
            Event::CData(text) => {
                let text = text.xml10_content().map_err(|error| out.syntax(line, error.to_string()))?;
                self.add_text(&text, out)?;
            }
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|error| out.syntax(line, error.to_string()))?;
                let character =
                    reference.resolve_char_ref().map_err(|error| out.syntax(line, error.to_string()))?;
                if let Some(character) = character {
                    self.add_text(character.encode_utf8(&mut [0; 4]), out)?;
                } else if let Some(text) = quick_xml::escape::resolve_xml_entity(&name) {
                    self.add_text(text, out)?;
                } else {
                    let known = "only &lt; &gt; &amp; &quot; &apos; and character numbers are known";
                    return Err(out.syntax(line, format!("the entity &{name}; is not known; {known}")));
                }
            }
            Event::DocType(content) => {
                if content.contains(&b'[') {
                    let problem = "the document has definitions of its own (DOCTYPE [...]); take them out";
                    return Err(out.unsupported(line, problem));
                }
            }
            Event::Decl(declaration) => {
                let encoding = declaration.encoding().and_then(Result::ok);
                let encoding = encoding.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
                if !matches!(encoding.to_lowercase().as_str(), "" | "utf-8" | "utf8" | "us-ascii" | "ascii") {
                    let problem = format!("the document says it is {encoding}; convert it to UTF-8");
                    return Err(FormatError::Encoding { at: Position::line(out.path, line), problem });
                }
            }
            Event::Comment(_) | Event::PI(_) | Event::Eof => {}
        }
        Ok(Step::Used)
    }

    fn start(
        &mut self,
        tag: &BytesStart<'_>,
        handler: &mut dyn Handler,
        out: &mut Out<'_>,
    ) -> Result<(), FormatError> {
        let line = self.line + 1;
        if self.open.is_empty() && self.root_seen {
            return Err(out.syntax(line, "a second element follows the document's end"));
        }
        let max = out.limits().max_depth;
        if self.open.len() >= max {
            return Err(out.too_large(line, "elements are nested too deep", max));
        }
        self.root_seen = true;
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            if attributes.len() == MAX_ATTRIBUTES {
                return Err(out.too_large(line, "a tag has too many attributes", MAX_ATTRIBUTES));
            }
            let attribute = attribute.map_err(|error| out.syntax(line, format!("an attribute: {error}")))?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_err(|error| out.syntax(line, format!("an attribute: {error}")))?;
            let name = String::from_utf8_lossy(attribute.key.local_name().as_ref()).into_owned();
            attributes.push((name, value.into_owned()));
        }
        let name = String::from_utf8_lossy(tag.name().as_ref()).into_owned();
        self.text.clear();
        let done = handler.start(local(&name), Attributes(attributes), line, out);
        self.open.push(name);
        done
    }

    fn end(&mut self, handler: &mut dyn Handler, out: &mut Out<'_>) -> Result<(), FormatError> {
        let Some(name) = self.open.pop() else { return Ok(()) };
        let text = std::mem::take(&mut self.text);
        handler.end(local(&name), &text, self.line + 1, out)
    }

    fn add_text(&mut self, text: &str, out: &Out<'_>) -> Result<(), FormatError> {
        let line = self.line + 1;
        if self.open.is_empty() {
            if text.trim().is_empty() {
                return Ok(());
            }
            return Err(out.syntax(line, "there is text outside of the document's element"));
        }
        let max = out.limits().max_record_bytes;
        if self.text.len() + text.len() > max {
            return Err(out.too_large(line, "a text has too many bytes", max));
        }
        self.text.push_str(text);
        Ok(())
    }

    fn wrong(&self, error: &Error, cut: bool, out: &Out<'_>) -> FormatError {
        let line = self.line + 1;
        if cut {
            return out.truncated(line, format!("the document is cut: {error}"));
        }
        out.syntax(line, format!("this is not XML: {error}"))
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// Whether an error may be due to the input that has not come.
fn may_go_on(error: &Error, pending: &str) -> bool {
    match error {
        Error::Syntax(_) => true,
        // A reference that is not closed; a tag after it means that it never will be.
        Error::IllFormed(_) => pending.len() < 64 && !pending.contains('<'),
        _ => false,
    }
}
