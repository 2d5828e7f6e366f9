//! What the columns of a table mean.

/// What a cell tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Key,
    Type,
    Name,
    Labels,
    Source,
    Target,
    Weight,
    /// A JSON object of properties.
    Properties,
    Property(String, Typing),
}

/// How a property's text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typing {
    /// As what it looks like.
    Inferred,
    Text,
    Number,
    Truth,
    Json,
}

/// A table's columns.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) is_nodes: bool,
    pub(super) columns: Vec<Column>,
    /// Gephi's: the type column tells only whether an edge is directed.
    pub(super) gephi: bool,
}

const NODE_MEANINGS: [(Column, &[&str]); 5] = [
    (Column::Key, &["key", "id", "node", "name", "label"]),
    (Column::Type, &["type", "category", "kind"]),
    (Column::Name, &["display_name", "label", "name", "title"]),
    (Column::Labels, &["labels", "tags"]),
    (Column::Properties, &["properties"]),
];

const EDGE_MEANINGS: [(Column, &[&str]); 6] = [
    (Column::Source, SOURCES),
    (Column::Target, TARGETS),
    (Column::Type, &["type", "kind"]),
    (Column::Weight, &["weight"]),
    (Column::Key, &["key", "id"]),
    (Column::Properties, &["properties"]),
];

const SOURCES: &[&str] = &["source", "from", "src"];
const TARGETS: &[&str] = &["target", "to", "dst"];

/// Most columns of a table.
pub(super) const MAX_COLUMNS: usize = 4096;

impl Header {
    /// The meaning of a header line; what is wrong with it otherwise.
    pub(super) fn parse(cells: &[&str], named_nodes: bool) -> Result<Self, String> {
        let lower: Vec<String> = cells.iter().map(|cell| cell.trim().to_lowercase()).collect();
        let has = |names: &[&str]| lower.iter().any(|cell| names.contains(&cell.as_str()));
        let has_key = has(NODE_MEANINGS[0].1);
        let has_ends = has(SOURCES) && has(TARGETS);
        let is_nodes = match (has_key, has_ends) {
            (true, false) => true,
            (true, true) => named_nodes,
            (false, true) => false,
            (false, false) => {
                return Err(format!(
                    "the header {:?} has no `key` or `id` column, which nodes need, and no `source` and `target`, \
                     which edges need",
                    shown(cells)
                ));
            }
        };
        let meanings: &[(Column, &[&str])] = if is_nodes { &NODE_MEANINGS } else { &EDGE_MEANINGS };
        let mut columns: Vec<Option<Column>> = vec![None; cells.len()];
        for (meaning, names) in meanings {
            let found = names.iter().find_map(|name| {
                let at = lower.iter().position(|cell| cell == name)?;
                columns[at].is_none().then_some(at)
            });
            if let Some(at) = found {
                columns[at] = Some(meaning.clone());
            }
        }
        let columns =
            columns.into_iter().zip(cells).map(|(column, cell)| column.unwrap_or_else(|| property(cell)));
        let gephi = cells.contains(&"Source") && cells.contains(&"Type");
        Ok(Self { is_nodes, columns: columns.collect(), gephi })
    }
}

fn property(cell: &str) -> Column {
    let cell = cell.trim();
    let (name, typing) = match cell.rsplit_once(':') {
        Some((name, "string")) => (name, Typing::Text),
        Some((name, "number" | "int" | "long" | "float" | "double")) => (name, Typing::Number),
        Some((name, "boolean" | "bool")) => (name, Typing::Truth),
        Some((name, "json")) => (name, Typing::Json),
        _ => (cell, Typing::Inferred),
    };
    Column::Property(name.to_owned(), typing)
}

fn shown(cells: &[&str]) -> String {
    let mut text = cells.join(",");
    super::super::out::cut(&mut text, 200);
    text
}

/// How the columns of a table are parted, by its first line.
pub(super) fn delimiter_of(line: &str) -> u8 {
    let count = |delimiter: u8| memchr::memchr_iter(delimiter, line.as_bytes()).count();
    let candidates = [b',', b';', b'\t'];
    // `max_by_key` takes the last of equals; the comma is to win.
    candidates.into_iter().rev().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

/// Whether a line is a header of a table of two columns or more.
pub(in super::super) fn is_header(line: &str) -> bool {
    let cells: Vec<&str> =
        line.split(char::from(delimiter_of(line))).map(|cell| cell.trim().trim_matches('"')).collect();
    cells.len() > 1 && Header::parse(&cells, false).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(name: &str, typing: Typing) -> Column {
        Column::Property(name.to_owned(), typing)
    }

    #[test]
    fn headers_of_other_programs_are_understood() {
        let header = Header::parse(&["Id", "Label", "timeset", "degree"], false).unwrap();
        assert!(header.is_nodes);
        let rest = [property("timeset", Typing::Inferred), property("degree", Typing::Inferred)];
        assert_eq!(header.columns, [&[Column::Key, Column::Name], rest.as_slice()].concat());

        let header = Header::parse(&["Source", "Target", "Type", "Id", "Weight"], false).unwrap();
        assert!(!header.is_nodes && header.gephi);
        let expected = [Column::Source, Column::Target, Column::Type, Column::Key, Column::Weight];
        assert_eq!(header.columns, expected);
    }

    #[test]
    fn name_is_the_key_where_there_is_no_other() {
        let header = Header::parse(&["name", "zip:string"], false).unwrap();
        assert_eq!(header.columns, [Column::Key, property("zip", Typing::Text)]);
    }

    #[test]
    fn a_header_that_says_nothing_is_refused() {
        assert!(Header::parse(&["a", "b"], true).unwrap_err().contains("source"));
        assert!(!is_header("0\t1"));
        assert!(is_header("from;to;weight"));
    }
}
