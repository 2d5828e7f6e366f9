//! `object`: reads, writes or deletes an object of the run's project.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Value as Json, json};
use weft_store::Only;

use super::{Attempt, Behaviour, FAILURE, Kind, Move, Outside, Port, Settings};
use crate::{
    domain::{expression::Variables, fault::StepError, name, template::Template},
    objects::{Begin, ObjectError, Saved, Unchanged, hexadecimal, whole_name},
};

const ACTIONS: [&str; 3] = ["read", "write", "delete"];

pub(crate) struct Object;

impl Kind for Object {
    fn name(&self) -> &'static str {
        "object"
    }
    fn title(&self) -> &'static str {
        "Object"
    }
    fn description(&self) -> &'static str {
        "Reads, writes or deletes an object of the project, and gives `object`, `content_type`, `size`, `sha256`. What is \
         read is `value` where it is JSON or text, and `base64` where it is neither. Bytes that are there already are not \
         written again, and what is not there is not deleted."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what expressions call `input`")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "object", "what is said of it, and what was read"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "action": {"enum": ACTIONS, "default": "read"},
            "object": {"type": "string", "description": "id of the object, or its name in the project, with expressions"},
            "value": {
                "description": "what is written: a text as it is, anything else as JSON; with expressions. What comes \
                    in when neither this nor `base64` is given",
            },
            "base64": {"type": "string", "description": "bytes that are written, as base64; with expressions"},
            "content_type": {"type": "string", "description": "what is written is of this type; with expressions"},
        });
        (properties, &["object"])
    }
    fn acts(&self) -> bool {
        true
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let action = settings.get("action").map_or(Some("read"), Json::as_str).unwrap_or_default().to_owned();
        if !ACTIONS.contains(&action.as_str()) {
            settings.wrong("action", format!("must be one of {}", ACTIONS.join(", ")));
        }
        let only_for_writing = ["value", "base64", "content_type"];
        for name in only_for_writing.into_iter().filter(|_| action != "write") {
            if settings.get(name).is_some() {
                settings.wrong(name, "is for writing only");
            }
        }
        if settings.get("value").is_some() && settings.get("base64").is_some() {
            settings.wrong("base64", "there is a value already");
        }
        let object = settings.template("object");
        if let Template::Literal(text) = &object
            && settings.get("object").is_some()
            && !text.as_str().is_some_and(|text| name::is_id(id(text)))
        {
            settings.wrong("object", "must be the id of an object: lower-case letters, digits and hyphens");
        }
        Box::new(Asked {
            action,
            object,
            value: settings.get("value").map(|_| settings.template("value")),
            base64: settings.get("base64").map(|_| settings.template("base64")),
            content_type: settings.template_or("content_type", Json::Null),
        })
    }
    fn perform<'a>(
        &'a self,
        outside: &'a Outside,
        attempt: &'a Attempt,
        request: Arc<Json>,
    ) -> BoxFuture<'a, Result<Json, StepError>> {
        Box::pin(async move {
            let bad = |problem: &str| StepError::new("BAD_REQUEST", problem);
            let text = request["object"].as_str().unwrap_or_default();
            if whole(text).is_some_and(|(project, _)| project != attempt.project) {
                let problem = format!("{text:?} is not of the project of the run");
                return Err(StepError::new("OTHER_PROJECT", problem));
            }
            let id = id(text);
            if !name::is_id(id) {
                return Err(bad("`object` must be the id of an object"));
            }
            match request["action"].as_str() {
                Some("read") => read(outside, attempt, id).await,
                Some("write") => write(outside, attempt, id, &request).await,
                Some("delete") => delete(outside, attempt, id).await,
                _ => Err(bad("there is no such action")),
            }
        })
    }
}

/// The id in `projects/{project}/objects/{id}`, in `objects/{id}`, or in itself.
fn id(text: &str) -> &str {
    let (_, id) = whole(text).unwrap_or_else(|| ("", text.strip_prefix("objects/").unwrap_or(text)));
    id
}

/// Project and id in a whole name.
fn whole(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("projects/")?.split_once("/objects/")
}

struct Asked {
    action: String,
    object: Template,
    value: Option<Template>,
    base64: Option<Template>,
    content_type: Template,
}

impl Behaviour for Asked {
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        let mut request = json!({"action": self.action, "object": self.object.fill(step)?});
        if self.action == "write" {
            request["content_type"] = self.content_type.fill(step)?;
            match (&self.value, &self.base64) {
                (_, Some(base64)) => request["base64"] = base64.fill(step)?,
                (Some(value), None) => request["value"] = value.fill(step)?,
                (None, None) => {
                    let input = step.variable("input");
                    request["value"] = input.map(|input| (*input).clone()).unwrap_or_default();
                }
            }
        }
        Ok(Move::Perform(Arc::new(request)))
    }
}

/// Whether whoever started the run may do so, by the contract of objects.
fn may(attempt: &Attempt, method: &str, id: &str) -> Result<(), StepError> {
    let path = format!("/weft.execution.v1.ObjectService/{method}");
    let method = weft_proto::methods().get(&path);
    let method = method.ok_or_else(|| StepError::new("BUG", format!("there is no {path}")))?;
    attempt.may_call(method, Some(&whole_name(&attempt.project, id)))
}

/// The failure of an object as the failure of a step.
pub(super) fn failed(error: &ObjectError) -> StepError {
    let (reason, again) = error.word();
    StepError { again, ..StepError::new(reason, error.to_string()) }
}

/// An object that whoever started the run may read.
pub(super) async fn found(outside: &Outside, attempt: &Attempt, id: &str) -> Result<Saved, StepError> {
    may(attempt, "DownloadObject", id)?;
    outside.objects.get(&attempt.project, id).await.map_err(|error| failed(&error))
}

fn told(saved: &Saved) -> Json {
    json!({
        "object": saved.name(),
        "content_type": saved.content_type(),
        "size": saved.size(),
        "sha256": hexadecimal(saved.sha256()),
    })
}

async fn read(outside: &Outside, attempt: &Attempt, id: &str) -> Result<Json, StepError> {
    let saved = found(outside, attempt, id).await?;
    let mut given = told(&saved);
    let is_json = is_json(saved.content_type());
    let bytes = outside.objects.whole(saved, outside.most_bytes as u64).await;
    let bytes = bytes.map_err(|error| match error {
        ObjectError::TooLarge(most) => {
            StepError::new("VALUE_TOO_LARGE", format!("the object has more than {most} bytes"))
        }
        other => failed(&other),
    })?;
    match std::str::from_utf8(&bytes) {
        // What says that it is JSON and is none is given as the text that it is.
        Ok(text) => {
            let value = if is_json { serde_json::from_str(text).ok() } else { None };
            given["value"] = value.unwrap_or_else(|| text.into());
        }
        Err(_) => given["base64"] = BASE64_STANDARD.encode(&bytes).into(),
    }
    Ok(given)
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

async fn write(outside: &Outside, attempt: &Attempt, id: &str, request: &Json) -> Result<Json, StepError> {
    may(attempt, "WriteObject", id)?;
    let bad = |problem: String| StepError::new("BAD_REQUEST", problem);
    let (bytes, usual) = match (&request["base64"], &request["value"]) {
        (Json::String(text), _) => {
            let decoded = BASE64_STANDARD.decode(text);
            (decoded.map_err(|error| bad(format!("`base64` is none: {error}")))?, "application/octet-stream")
        }
        (Json::Null, Json::String(text)) => (text.as_bytes().to_vec(), "text/plain; charset=utf-8"),
        (Json::Null, value) => {
            let bytes = serde_json::to_vec(value).map_err(|error| bad(error.to_string()))?;
            (bytes, "application/json")
        }
        _ => return Err(bad("`base64` must be a text".to_owned())),
    };
    let content_type = match &request["content_type"] {
        Json::Null => usual.to_owned(),
        Json::String(text) if text.len() <= 200 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => {
            text.clone()
        }
        _ => return Err(bad("`content_type` must be at most 200 printable characters".to_owned())),
    };
    let begin = Begin {
        project: attempt.project.clone(),
        id: id.to_owned(),
        content_type,
        only: Only::Always,
        sha256: String::new(),
        writer: attempt.caller.name.to_string(),
        // An attempt that is made again finds what it has written.
        unchanged: Unchanged::Keep,
    };
    let written = outside.objects.write(begin, Bytes::from(bytes)).await;
    Ok(told(&written.map_err(|error| failed(&error))?))
}

async fn delete(outside: &Outside, attempt: &Attempt, id: &str) -> Result<Json, StepError> {
    may(attempt, "DeleteObject", id)?;
    match outside.objects.delete(&attempt.project, id, None).await {
        Ok(()) | Err(ObjectError::NotFound(_)) => Ok(json!({"object": whole_name(&attempt.project, id)})),
        Err(error) => Err(failed(&error)),
    }
}
