//! Labels in one cell.

/// The labels that a cell holds: a JSON list, or texts parted by `;`.
pub(in super::super) fn split(cell: &str) -> Vec<String> {
    if cell.starts_with('[')
        && let Ok(labels) = serde_json::from_str(cell)
    {
        return labels;
    }
    cell.split(';').map(|label| label.trim().to_owned()).collect()
}

/// The cell that [`split`] reads as these labels.
pub(in super::super) fn join(labels: &[String]) -> String {
    let plain = |label: &String| !label.contains([';', '[']) && label.trim() == label;
    if labels.iter().all(plain) { labels.join(";") } else { serde_json::json!(labels).to_string() }
}
