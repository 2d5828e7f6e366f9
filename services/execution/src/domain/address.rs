//! Addresses that requests can go to.

use reqwest::Url;

use super::fault::StepError;

/// The address that a text is.
pub(crate) fn read(text: &str) -> Result<Url, StepError> {
    let bad = |problem: &str| bad(problem, text);
    let url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(bad("must begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("must not have a name and password in it"));
    }
    Ok(url)
}

/// What is wrong with an address.
pub(crate) fn bad(problem: &str, url: &str) -> StepError {
    StepError::new("BAD_URL", format!("{problem}: {url}"))
}

/// The part of an address that says where it leads, however loosely it is written: an address is read without its tabs and
/// line breaks, and `\` is as good as `/`.
pub(crate) fn place(text: &str) -> String {
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    let rest = match text.split_once(':') {
        Some((scheme, rest)) if ["http", "https"].contains(&scheme.trim().to_ascii_lowercase().as_str()) => {
            rest
        }
        _ => &text,
    };
    let rest = rest.trim_start_matches(['/', '\\']);
    rest.split(['/', '\\', '?', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_an_address_leads_is_before_its_path() {
        for (text, expected) in [
            ("https://a.example/b?c#d", "a.example"),
            ("https://a.example?b://c", "a.example"),
            ("https:\\\\a.example/b", "a.example"),
            ("HTTPS:a.example\\b", "a.example"),
            (" ht\ttps:/\n/a.exa\rmple#b", "a.example"),
            ("a.example/b", "a.example"),
            ("https://a@b:5", "a@b:5"),
        ] {
            assert_eq!(place(text), expected, "{text}");
        }
        assert!(
            read("https://a:b@c/").is_err() && read("file:///etc").is_err() && read("https://a/b").is_ok()
        );
    }
}
