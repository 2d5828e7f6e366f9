//! Results for people (tables) and for programs (JSON, as the contracts write it).

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets::NOTHING};
use prost_reflect::{DynamicMessage, SerializeOptions};

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// Tables and sentences.
    Table,
    /// One JSON document.
    Json,
}

/// Prints a line to standard output. A reader that went away (`| head`) is no failure.
pub(crate) fn line(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a message as canonical JSON.
pub(crate) fn json<M: prost_reflect::prost::Message>(message: &M, full_name: &str) -> Result<()> {
    print_json(message, full_name, serde_json::Serializer::pretty(Vec::new()))
}

/// The same on one line: for streams, whose readers take a line at a time.
pub(crate) fn json_line<M: prost_reflect::prost::Message>(message: &M, full_name: &str) -> Result<()> {
    print_json(message, full_name, serde_json::Serializer::new(Vec::new()))
}

fn print_json<M: prost_reflect::prost::Message, F: serde_json::ser::Formatter>(
    message: &M,
    full_name: &str,
    mut serializer: serde_json::Serializer<Vec<u8>, F>,
) -> Result<()> {
    let descriptor =
        weft_proto::pool().get_message_by_name(full_name).context("the message is in the contracts")?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?;
    let options = SerializeOptions::new().skip_default_fields(true);
    dynamic.serialize_with_options(&mut serializer, &options)?;
    line(&String::from_utf8(serializer.into_inner())?);
    Ok(())
}

/// Says that something is deleted.
pub(crate) fn deleted(name: &str, format: OutputFormat) {
    match format {
        OutputFormat::Table => line(&format!("{name} is deleted")),
        OutputFormat::Json => line(&serde_json::json!({ "deleted": name }).to_string()),
    }
}

/// Prints rows under a head; columns named in `numbers` are set to the right.
pub(crate) fn table(head: &[&str], numbers: &[usize], rows: impl IntoIterator<Item = Vec<String>>) {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(head.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(row);
    }
    for column in numbers {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    line(&table.trim_fmt());
}

/// 1234567 as `1,234,567`.
pub(crate) fn number(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// A time as people and programs read it; empty if there is none.
pub(crate) fn time(time: Option<&prost_types::Timestamp>) -> String {
    time.map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_grouped() {
        let grouped = [0, 7, 999, 1_000, 63_436, -1_234_567].map(super::number);
        assert_eq!(grouped, ["0", "7", "999", "1,000", "63,436", "-1,234,567"]);
    }
}
