//! Path templates of `google.api.http`: their syntax and what it means.
//!
//! ```text
//! Template  = "/" Segments [ ":" LITERAL ] ;
//! Segments  = Segment { "/" Segment } ;
//! Segment   = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}" ;
//! FieldPath = IDENT { "." IDENT } ;
//! ```

/// One segment of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Exactly this text.
    Literal(String),
    /// Any one segment that is not empty: `*`.
    One,
    /// All the rest, maybe nothing: `**`.
    Rest,
}

/// A part of the path that becomes a request field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    /// `["graph", "name"]` of `{graph.name=…}`.
    pub(crate) field_path: Vec<String>,
    /// Its first segment.
    pub(crate) from: usize,
    /// The segment after its last; `None` if it takes all the rest.
    pub(crate) to: Option<usize>,
    /// Whether it can hold more than one segment, which decides how it is decoded.
    pub(crate) multi: bool,
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) segments: Vec<Segment>,
    pub(crate) variables: Vec<Variable>,
    /// `applyChanges` of `…:applyChanges`.
    pub(crate) verb: Option<String>,
}

impl Template {
    /// Parses `text`.
    ///
    /// # Errors
    /// What is wrong and where, for whoever wrote the contract.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { text, at: 0, segments: Vec::new(), variables: Vec::new() };
        parser.expect('/')?;
        parser.segments(false)?;
        let verb = if parser.take(':') { Some(parser.literal("a verb")?) } else { None };
        if parser.at < text.len() {
            return Err(parser.wrong("the end"));
        }
        let Parser { segments, variables, .. } = parser;
        if segments.iter().rev().skip(1).any(|segment| *segment == Segment::Rest) {
            return Err(format!("{text}: ** is only allowed as the last segment"));
        }
        Ok(Self { segments, variables, verb })
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn take(&mut self, expected: char) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    fn expect(&mut self, expected: char) -> Result<(), String> {
        if self.take(expected) { Ok(()) } else { Err(self.wrong(&format!("{expected:?}"))) }
    }

    fn wrong(&self, expected: &str) -> String {
        format!("{}: expected {expected} at byte {}", self.text, self.at)
    }

    fn segments(&mut self, in_variable: bool) -> Result<(), String> {
        loop {
            if self.take('*') {
                let segment = if self.take('*') { Segment::Rest } else { Segment::One };
                self.segments.push(segment);
            } else if !in_variable && self.take('{') {
                self.variable()?;
            } else {
                let literal = self.literal("a segment")?;
                self.segments.push(Segment::Literal(literal));
            }
            if !self.take('/') {
                return Ok(());
            }
        }
    }

    fn variable(&mut self) -> Result<(), String> {
        let from = self.segments.len();
        let mut field_path = vec![self.identifier()?];
        while self.take('.') {
            field_path.push(self.identifier()?);
        }
        if self.take('=') {
            self.segments(true)?;
        } else {
            self.segments.push(Segment::One);
        }
        self.expect('}')?;
        if self.variables.iter().any(|other| other.field_path == field_path) {
            return Err(format!("{}: {} is bound twice", self.text, field_path.join(".")));
        }
        let own = &self.segments[from..];
        let to = (own.last() != Some(&Segment::Rest)).then_some(self.segments.len());
        let multi = own.len() > 1 || to.is_none();
        self.variables.push(Variable { field_path, from, to, multi });
        Ok(())
    }

    fn literal(&mut self, what: &str) -> Result<String, String> {
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.~%!$&'()+,;@".contains(letter);
        self.word(what, allowed)
    }

    fn identifier(&mut self) -> Result<String, String> {
        self.word("a field name", |letter| letter.is_ascii_alphanumeric() || letter == '_')
    }

    fn word(&mut self, what: &str, allowed: impl Fn(char) -> bool) -> Result<String, String> {
        let rest = self.rest();
        let end = rest.find(|letter| !allowed(letter)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.wrong(what));
        }
        let word = rest[..end].to_owned();
        self.at += end;
        Ok(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Segment {
        Segment::Literal(text.to_owned())
    }

    #[test]
    fn reads_every_form() {
        let template =
            Template::parse("/v1/{graph.name=projects/*/graphs/*}/nodes/{key=**}:move").expect("good");
        assert_eq!(
            template.segments,
            [
                literal("v1"),
                literal("projects"),
                Segment::One,
                literal("graphs"),
                Segment::One,
                literal("nodes"),
                Segment::Rest
            ]
        );
        assert_eq!(template.verb.as_deref(), Some("move"));
        let [name, key] = template.variables.as_slice() else { panic!("two variables") };
        assert_eq!(
            (name.field_path.join("."), name.from, name.to, name.multi),
            ("graph.name".into(), 1, Some(5), true)
        );
        assert_eq!((key.field_path.join("."), key.from, key.to, key.multi), ("key".into(), 6, None, true));

        let plain = Template::parse("/v1/{id}/*").expect("good");
        assert_eq!(plain.segments, [literal("v1"), Segment::One, Segment::One]);
        assert_eq!(
            plain.variables,
            [Variable { field_path: vec!["id".into()], from: 1, to: Some(2), multi: false }]
        );

        let fixed = Template::parse("/v1/{project=projects/mesh}:rotate").expect("good");
        assert_eq!(fixed.segments[1..], [literal("projects"), literal("mesh")]);
        assert!(Template::parse("/.well-known/jwks.json").is_ok());
        assert!(Template::parse("/**").is_ok());
    }

    /// A template as text: what was parsed, said again.
    fn text(template: &Template) -> String {
        let mut text = String::new();
        for (index, segment) in template.segments.iter().enumerate() {
            text.push('/');
            if let Some(variable) = template.variables.iter().find(|variable| variable.from == index) {
                text.extend(["{", &variable.field_path.join("."), "="]);
            }
            match segment {
                Segment::Literal(literal) => text.push_str(literal),
                Segment::One => text.push('*'),
                Segment::Rest => text.push_str("**"),
            }
            let end = |variable: &&Variable| variable.to.unwrap_or(template.segments.len()) == index + 1;
            if template.variables.iter().any(|variable| end(&variable)) {
                text.push('}');
            }
        }
        if let Some(verb) = &template.verb {
            text.extend([":", verb]);
        }
        text
    }

    #[test]
    fn fuzz_of_templates() {
        const PIECES: [&str; 20] = [
            "/",
            "/",
            "/",
            "*",
            "**",
            "{",
            "}",
            "=",
            ".",
            ":",
            "a",
            "b",
            "v1",
            "{a}",
            "{b=*}",
            "{c.d=x/*}",
            "%2F",
            "é",
            " ",
            "-_~",
        ];
        crate::fuzz::fuzz(bolero::check!(), 12, |bytes| {
            let piece = |byte: &u8| PIECES[usize::from(*byte) % PIECES.len()];
            let pieces: String = bytes.iter().map(piece).collect();
            // Half of them begin as every template does.
            let said = format!("{}{pieces}", if bytes.len() % 2 == 0 { "/" } else { "" });
            if let Ok(template) = Template::parse(&said) {
                assert!(!template.segments.is_empty());
                for variable in &template.variables {
                    let to = variable.to.unwrap_or(template.segments.len());
                    assert!(variable.from < to && to <= template.segments.len());
                }
                assert_eq!(Template::parse(&text(&template)), Ok(template), "{said}");
            }
        });
        let good = PIECES.iter().filter(|piece| Template::parse(&format!("/{piece}")).is_ok()).count();
        assert!(good > 5, "the pieces make no templates");
    }

    #[test]
    fn refuses_what_the_syntax_does_not_have() {
        for text in [
            "",
            "v1",
            "/",
            "//",
            "/v1/",
            "/v1/{}",
            "/v1/{a",
            "/v1/{a=}",
            "/v1/{a={b}}",
            "/v1/{a.}",
            "/v1/x:",
            "/v1/x:y:z",
            "/v1/**/x",
            "/v1/{a=**}/x",
            "/v1/{a}/{a}",
            "/v1/***",
            "/v1/a b",
            "/v1/{a=*}b",
        ] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
