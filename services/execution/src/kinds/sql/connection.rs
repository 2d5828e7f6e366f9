//! The URL of a database, as a secret has it. Nothing of it is quoted in an error.

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Url;
use sha2::{Digest, Sha256};
use tokio_postgres::{Config, config::SslMode};

use crate::domain::fault::StepError;

/// Where databases listen.
const PORT: u16 = 5432;

/// A database that a project's steps ask.
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether the connection is encrypted, and the server shows who it is.
    pub(super) is_secure: bool,
    /// Authorities that it is believed from; those of the system when there are none.
    pub(super) ca: Option<String>,
    /// User, password and database.
    pub(super) config: Config,
    /// What in the URL is nobody's business.
    pub(super) private: Vec<String>,
    /// Tells it from others, of other projects too.
    pub(super) key: [u8; 32],
}

impl Target {
    pub(super) fn of(project: &str, url: &str, ca: Option<&str>) -> Result<Self, StepError> {
        let parsed = Url::parse(url.trim()).map_err(|_| bad("it is no URL"))?;
        if !["postgres", "postgresql"].contains(&parsed.scheme()) {
            return Err(bad("it must begin with postgres://"));
        }
        let host = parsed.host_str().map(plain).transpose()?.unwrap_or_default().to_ascii_lowercase();
        // A socket in a folder of this machine would be written with slashes, and several servers with commas.
        if host.is_empty() || host.contains(['/', ',', '@', '\0']) {
            return Err(bad("it must name one host"));
        }
        let user = plain(parsed.username())?;
        let database = plain(parsed.path().trim_start_matches('/'))?;
        if user.is_empty() || database.is_empty() {
            return Err(bad("it must name a user and a database"));
        }
        let mut config = Config::new();
        // Encryption is ours, below the driver.
        config.user(user).dbname(&database).application_name("weft").ssl_mode(SslMode::Disable);
        let mut private = vec![url.trim().to_owned()];
        if let Some(password) = parsed.password() {
            let written = password.to_owned();
            let password = plain(password)?;
            config.password(&password);
            private.extend([written, password]);
        }
        let mut is_secure = true;
        for (name, value) in parsed.query_pairs() {
            match (&*name, &*value) {
                ("sslmode", "disable") => is_secure = false,
                ("sslmode", "require" | "verify-full") => is_secure = true,
                ("sslmode", _) => {
                    return Err(bad(
                        "its sslmode must be verify-full, require (which is the same here) or disable",
                    ));
                }
                // The server's certificate is looked at instead.
                ("channel_binding", _) => {}
                ("application_name", name) => drop(config.application_name(name)),
                ("options", options) => drop(config.options(options)),
                _ => {
                    let known = "sslmode, channel_binding, application_name and options";
                    return Err(bad(&format!("it has a parameter other than {known}")));
                }
            }
        }
        let port = parsed.port().unwrap_or(PORT);
        let parts = [project, url, ca.unwrap_or_default()].map(|part| BASE64_STANDARD.encode(part));
        let key = Sha256::digest(parts.join(",")).into();
        Ok(Self { host, port, is_secure, ca: ca.map(str::to_owned), config, private, key })
    }
}

/// What a part of an address is once its percent signs are read.
fn plain(part: &str) -> Result<String, StepError> {
    let bytes: Vec<u8> = {
        let mut bytes = Vec::with_capacity(part.len());
        let mut rest = part.bytes();
        while let Some(byte) = rest.next() {
            if byte != b'%' {
                bytes.push(byte);
                continue;
            }
            let digits = [rest.next(), rest.next()].map(|digit| (digit? as char).to_digit(16));
            let [Some(high), Some(low)] = digits else {
                return Err(bad("it has a percent sign without two digits"));
            };
            bytes.push((high * 16 + low) as u8);
        }
        bytes
    };
    let text = String::from_utf8(bytes).map_err(|_| bad("it must be UTF-8"))?;
    if text.contains('\0') { Err(bad("it must not have a zero byte in it")) } else { Ok(text) }
}

fn bad(problem: &str) -> StepError {
    StepError::new("SQL_CONNECTION", format!("what the secret says is no URL of a database: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<Target, StepError> {
        Target::of("p", url, None)
    }

    #[test]
    fn a_url_says_where_and_as_whom() {
        let target =
            of("postgres://us%40er:p%2Fass@db.example:6000/shop?sslmode=require&channel_binding=require");
        let target = target.expect("a target");
        assert_eq!((&*target.host, target.port, target.is_secure), ("db.example", 6000, true));
        assert_eq!(target.config.get_user(), Some("us@er"));
        assert_eq!(target.config.get_password(), Some(&b"p/ass"[..]));
        assert_eq!(target.config.get_dbname(), Some("shop"));
        assert!(
            target.private.contains(&"p/ass".to_owned()) && target.private.contains(&"p%2Fass".to_owned())
        );
        let plain = of("postgresql://u@[::1]/d?sslmode=disable&application_name=x&options=-csearch_path%3Da");
        let plain = plain.expect("a target");
        assert_eq!((&*plain.host, plain.port, plain.is_secure), ("[::1]", 5432, false));
        assert_eq!(plain.config.get_options(), Some("-csearch_path=a"));
    }

    #[test]
    fn what_cannot_be_is_told_without_what_it_is() {
        for url in [
            "hunter2",
            "mysql://hunter2@h/d",
            "postgres://hunter2:hunter2@/d",
            "postgres://hunter2@%2Ftmp/d",
            "postgres://hunter2@a,b/d",
            "postgres://hunter2@h",
            "postgres://:hunter2@h/d",
            "postgres://u:hunter2%zz@h/d",
            "postgres://u:hunter2%ff@h/d",
            "postgres://u:hunter2%00@h/d",
            "postgres://u@h/d?sslmode=prefer&hunter2=1",
            "postgres://u@h/d?hunter2=1",
        ] {
            let error = of(url).err().expect(url);
            assert!(
                error.reason == "SQL_CONNECTION" && !error.message.contains("hunter2"),
                "{}",
                error.message
            );
        }
    }

    #[test]
    fn projects_and_authorities_share_no_connection() {
        let key = |project, ca| Target::of(project, "postgres://u@h/d", ca).expect("a target").key;
        assert_eq!(key("p", None), key("p", None));
        assert!(key("p", None) != key("q", None) && key("p", None) != key("p", Some("x")));
    }
}
