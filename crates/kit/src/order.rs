//! In what order is a list asked for?

/// A field to sort by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey<F> {
    /// The field.
    pub field: F,
    /// Largest first.
    pub descending: bool,
}

/// Reads an `order_by` such as `degree desc, key`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_order<F: Copy + PartialEq>(text: &str, fields: &[(&str, F)]) -> Result<Vec<SortKey<F>>, String> {
    let mut order: Vec<SortKey<F>> = Vec::new();
    if text.trim().is_empty() {
        return Ok(order);
    }
    for item in text.split(',') {
        let mut words = item.split_whitespace();
        let name = words.next().ok_or("a field is missing between two commas")?;
        let descending = match words.next() {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(other) => return Err(format!("{other:?} is neither asc nor desc")),
        };
        if words.next().is_some() {
            return Err("fields are separated by commas".into());
        }
        let Some((_, field)) = fields.iter().find(|(known, _)| *known == name) else {
            let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
            return Err(format!("cannot sort by {name:?}, only by {}", names.join(", ")));
        };
        if order.iter().any(|key| key.field == *field) {
            return Err(format!("{name:?} occurs twice"));
        }
        order.push(SortKey { field: *field, descending });
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fields_and_directions() {
        let fields = [("key", 'k'), ("degree", 'd')];
        let order = parse_order(" degree desc ,key", &fields).expect("it is right");
        assert_eq!(
            order,
            [SortKey { field: 'd', descending: true }, SortKey { field: 'k', descending: false }]
        );
        assert_eq!(parse_order("", &fields), Ok(Vec::new()));
        for bad in ["size", "key upwards", "key,,degree", "key, key desc", "key desc desc", ","] {
            assert!(parse_order(bad, &fields).is_err(), "{bad}");
        }
    }
}
