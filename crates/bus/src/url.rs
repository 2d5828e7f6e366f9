//! Which bus a URL names.

use crate::{BusError, Result};

const CACHE_BYTES: usize = 64 << 20;
const PREFIX: &str = "weft";

/// What a URL names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// This process.
    Memory {
        /// Bound of the cache.
        cache_bytes: usize,
    },
    /// A Redis server.
    Redis {
        /// Its URL without our own options.
        server: String,
        /// What all names begin with.
        prefix: String,
    },
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let (place, options) = url.split_once('?').unwrap_or((url, ""));
        let options = options.split('&').filter(|option| !option.is_empty());
        if place == "memory:" {
            let mut cache_bytes = CACHE_BYTES;
            for option in options {
                match option.split_once('=') {
                    Some(("cache_bytes", value)) => {
                        cache_bytes = value
                            .parse()
                            .map_err(|_| BusError::Url("cache_bytes must be a number of bytes".into()))?;
                    }
                    _ => return Err(unknown(option)),
                }
            }
            return Ok(Self::Memory { cache_bytes });
        }
        if place.starts_with("redis://") || place.starts_with("redis+unix://") {
            let mut prefix = PREFIX.to_owned();
            for option in options {
                match option.split_once('=') {
                    Some(("prefix", value)) if is_prefix(value) => value.clone_into(&mut prefix),
                    Some(("prefix", _)) => {
                        let rule = "prefix must be 1 to 64 letters, digits, '-', '_' or '.'";
                        return Err(BusError::Url(rule.into()));
                    }
                    _ => return Err(unknown(option)),
                }
            }
            return Ok(Self::Redis { server: place.to_owned(), prefix });
        }
        Err(BusError::Url("must begin with \"memory:\" or \"redis://\"".into()))
    }
}

fn is_prefix(value: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&value.len()) && value.bytes().all(allowed)
}

/// Names the option's key only: its value may be a secret that was put in the wrong place.
fn unknown(option: &str) -> BusError {
    let key = option.split_once('=').map_or(option, |(key, _)| key);
    BusError::Url(format!("unknown option {key:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_places_and_options() {
        assert_eq!(Target::parse("memory:").unwrap(), Target::Memory { cache_bytes: CACHE_BYTES });
        assert_eq!(Target::parse("memory:?cache_bytes=9").unwrap(), Target::Memory { cache_bytes: 9 });
        assert_eq!(
            Target::parse("redis://u:p@h:1/2?prefix=a-b").unwrap(),
            Target::Redis { server: "redis://u:p@h:1/2".into(), prefix: "a-b".into() }
        );
        assert_eq!(
            Target::parse("redis://h").unwrap(),
            Target::Redis { server: "redis://h".into(), prefix: "weft".into() }
        );
    }

    #[test]
    fn what_is_not_a_url_of_ours_is_named() {
        for url in ["", "http://h", "memory:?cache_bytes=x", "redis://h?prefix=", "redis://h?prefix=a%20b"] {
            assert!(matches!(Target::parse(url), Err(BusError::Url(_))), "{url}");
        }
        let unknown = Target::parse("redis://h?password=secret").unwrap_err().to_string();
        assert!(unknown.contains("password") && !unknown.contains("secret"), "{unknown}");
    }
}
