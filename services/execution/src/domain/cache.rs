//! Whether a step may have what another one gave, and which one that is.

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::{
    duration,
    expression::{Expression, Variables},
    fault::StepError,
    secret,
};
use crate::kinds::{Kind, Settings};

/// Longest name of a cache, in bytes.
pub(crate) const LONGEST: usize = 200;
/// Longest key, in bytes.
const LONGEST_KEY: usize = 8 << 10;
/// How long a result may be kept, in seconds.
const SHORTEST_TTL: u64 = 1;
const LONGEST_TTL: u64 = 30 * 24 * 60 * 60;

/// What a node says about keeping what its steps give.
#[derive(Debug)]
pub(crate) struct Cache {
    area: String,
    /// In microseconds.
    ttl: i64,
    key: Option<Expression>,
}

/// Which kept result would do for a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) area: String,
    pub(crate) digest: [u8; 32],
    /// How long a new one is good, in microseconds.
    pub(crate) ttl: i64,
}

/// Where results are that nodes share under a name.
pub(crate) fn area_of_name(name: &str) -> String {
    format!("names/{name}")
}

/// What areas of a workflow's nodes begin with.
pub(crate) fn areas_of_graph(graph: &str) -> String {
    format!("graphs/{graph}/")
}

impl Cache {
    /// Of a node's property `cache`: `ttl`, and perhaps a `key` (an expression, in place of what the step would ask) and a
    /// `name` (nodes and workflows of a project that give the same share it).
    pub(crate) fn of(settings: &mut Settings<'_>, kind: &dyn Kind, graph: &str, node: &str) -> Option<Self> {
        let Json::Object(members) = settings.get("cache")? else {
            settings.wrong("cache", "must be an object");
            return None;
        };
        if !kind.acts() {
            settings.wrong("cache", "the node does nothing outside, so there is nothing to spare");
            return None;
        }
        if kind.name() == "task" {
            settings.wrong("cache", "a task is done by a worker, which keeps what it likes");
            return None;
        }
        let graph = graph.rsplit('/').next().unwrap_or_default();
        let (mut ttl, mut key, mut area) = (None, None, format!("{}nodes/{node}", areas_of_graph(graph)));
        for (name, value) in members {
            match name.as_str() {
                "ttl" => match duration::parse(value) {
                    Ok(span) if (SHORTEST_TTL..=LONGEST_TTL).contains(&span.as_secs()) => {
                        ttl = i64::try_from(span.as_micros()).ok();
                    }
                    Ok(_) => settings.wrong("cache.ttl", "must be from one second to 30 days"),
                    Err(problem) => settings.wrong("cache.ttl", problem),
                },
                "key" => key = settings.compile("cache.key", value),
                "name" => match value.as_str().filter(|name| (1..=LONGEST).contains(&name.len())) {
                    Some(name) => area = area_of_name(name),
                    None => {
                        settings.wrong("cache.name", format!("must be a text of at most {LONGEST} bytes"));
                    }
                },
                _ => settings.wrong(&format!("cache.{name}"), "there is no such setting of a cache"),
            }
        }
        if !members.contains_key("ttl") {
            settings.wrong("cache", "needs `ttl`: for how long a result is good");
        }
        Some(Self { area, ttl: ttl?, key })
    }

    /// What would do for a step that asks this.
    ///
    /// # Errors
    /// Why its key is none.
    pub(crate) fn ask(&self, kind: &str, request: &Json, step: &dyn Variables) -> Result<Asked, StepError> {
        let mut digest = Sha256::new();
        if let Some(key) = &self.key {
            let key = key.evaluate(step)?.to_string();
            if key.len() > LONGEST_KEY {
                let message = format!("the key of its cache has more than {LONGEST_KEY} bytes");
                return Err(StepError::new("BAD_CACHE_KEY", message));
            }
            part(&mut digest, &[kind, "key", &key]);
        } else {
            // A secret is named and not told; what only looks like its name has not counted as one.
            let named = secret::count(request);
            let request = secret::changed(request, &secret::told_everywhere).to_string();
            part(&mut digest, &[kind, "request", &request, &format!("{named:?}")]);
        }
        Ok(Asked { area: self.area.clone(), digest: digest.finalize().into(), ttl: self.ttl })
    }
}

impl Asked {
    /// The same for somebody with these rights: who may do less may see less.
    pub(crate) fn for_rights(&self, role: i32, scopes: &[String]) -> Self {
        let mut scopes = scopes.to_vec();
        scopes.sort_unstable();
        let mut digest = Sha256::new();
        digest.update(self.digest);
        part(&mut digest, &[&role.to_string()]);
        part(&mut digest, &scopes.iter().map(String::as_str).collect::<Vec<_>>());
        Self { digest: digest.finalize().into(), ..self.clone() }
    }
}

/// Texts, so that none can be mistaken for two others.
fn part(digest: &mut Sha256, texts: &[&str]) {
    digest.update((texts.len() as u64).to_be_bytes());
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::{domain::fault::Faults, kinds};

    /// A step that is given this.
    struct Given(Json);

    impl Variables for Given {
        fn variable(&self, name: &str) -> Option<Arc<Json>> {
            (name == "input").then(|| Arc::new(self.0.clone()))
        }
        fn secret(&self, name: &str) -> String {
            secret::reference(name)
        }
        fn step(&self, _key: &str) -> Option<Arc<Json>> {
            None
        }
    }

    fn cache(kind: &str, cache: &Json) -> (Option<Cache>, usize) {
        let mut faults = Faults::default();
        let all = json!({"cache": cache}).as_object().cloned().expect("an object");
        let mut settings = Settings::new("n", &all, &mut faults);
        let cache = Cache::of(&mut settings, kinds::find(kind).expect("a kind"), "projects/p/graphs/g", "n");
        (cache, faults.into_vec().len())
    }

    #[test]
    fn what_is_asked_decides_or_a_key() {
        let plain = cache("http", &json!({"ttl": "1h"})).0.expect("it is right");
        let ask = |request: Json| plain.ask("http", &request, &Given(json!({}))).expect("it can be asked");
        let one = ask(json!({"url": "a", "body": [1]}));
        assert_eq!((one.area.as_str(), one.ttl), ("graphs/g/nodes/n", 3_600_000_000));
        assert_eq!(one, ask(json!({"body": [1], "url": "a"})));
        assert_ne!(one.digest, ask(json!({"url": "a", "body": [2]})).digest);
        let keyed = json!({"ttl": "1s", "key": "input.id", "name": "shared"});
        let keyed = cache("http", &keyed).0.expect("it is right");
        let ask =
            |request: Json, id: i64| keyed.ask("http", &request, &Given(json!({"id": id}))).expect("a key");
        assert_eq!(ask(json!("a"), 1), ask(json!("b"), 1));
        assert_ne!(ask(json!("a"), 1), ask(json!("a"), 2));
        assert_eq!(ask(json!("a"), 1).area, "names/shared");
        assert_eq!(
            keyed.ask("http", &json!({}), &Given(json!({}))).expect_err("no id").reason,
            "EXPRESSION_FAILED"
        );
    }

    #[test]
    fn a_secret_is_known_by_its_name_and_nothing_passes_for_it() {
        let cache = cache("http", &json!({"ttl": "1h"})).0.expect("it is right");
        let ask = |text: String| {
            cache.ask("http", &json!({"a": text}), &Given(json!({}))).expect("it can be asked")
        };
        let known = ask(secret::reference("a"));
        assert_eq!(known, ask(secret::reference("a")));
        assert_ne!(known, ask(secret::reference("b")));
        let told = secret::told_everywhere(&secret::reference("a"));
        assert!(told != secret::reference("a") && known != ask(told));
    }

    #[test]
    fn rights_are_part_of_it() {
        let asked = Asked { area: "a".into(), digest: [1; 32], ttl: 1 };
        let scopes = ["b".to_owned(), "a".to_owned()];
        let same = asked.for_rights(2, &["a".to_owned(), "b".to_owned()]);
        assert_eq!(asked.for_rights(2, &scopes), same);
        for other in
            [asked.for_rights(1, &scopes), asked.for_rights(2, &[]), asked.for_rights(2, &["ab".into()])]
        {
            assert_ne!(other, same);
        }
    }

    #[test]
    fn settings_are_looked_at() {
        for (kind, settings) in [
            ("set", json!({"ttl": "1h"})),
            ("http", json!({})),
            ("http", json!({"ttl": "40d"})),
            ("http", json!({"ttl": "1ms"})),
            ("http", json!({"ttl": "1h", "name": ""})),
            ("http", json!({"ttl": "1h", "key": "1 +"})),
            ("http", json!({"ttl": "1h", "for": "ever"})),
            ("http", json!(true)),
        ] {
            assert_eq!(cache(kind, &settings).1, 1, "{kind} {settings}");
        }
    }
}
