//! `analysis`: computes on a whole graph of the project, and waits for what comes out.

mod end;

use std::sync::Arc;

use futures::future::BoxFuture;
use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::{Map, Value as Json, json};
use tonic::{Code, Status};
use weft_kit::{Peer, span};
use weft_proto::{
    Validate,
    weft::compute::v1::{
        Algorithm, Analysis as Job, AnalysisState, CreateAnalysisRequest, ListAnalysisValuesRequest,
        algorithm::Kind as Computed, analysis_service_client::AnalysisServiceClient,
    },
};

use super::{Attempt, Behaviour, FAILURE, Kind, Move, Outside, Port, Settings, outside::of_status};
use crate::domain::{expression::Variables, fault::StepError, template::Template};

/// Values that may be given.
const MOST_VALUES: u64 = 10_000;
/// Messages of its contract.
const ALGORITHM: &str = "weft.compute.v1.Algorithm";
const RESULT: &str = "weft.compute.v1.AnalysisResult";
const VALUE: &str = "weft.compute.v1.AnalysisValue";
/// The method that begins one.
pub(super) const CREATE: &str = "/weft.compute.v1.AnalysisService/CreateAnalysis";

pub(crate) struct Analysis;

impl Kind for Analysis {
    fn name(&self) -> &'static str {
        "analysis"
    }
    fn title(&self) -> &'static str {
        "Analyse a graph"
    }
    fn description(&self) -> &'static str {
        "Computes on a whole graph of the project (ranks, paths, communities, similar nodes and so on), waits until that has \
         ended, and gives `analysis`, `result` and the first `values`. It goes on over the end of this process, and is ended \
         with the step."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what expressions call `input`")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "object", "`analysis`, `result` and `values`"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "graph": {"type": "string", "description": "a graph of the project, by id or name, with expressions"},
            "algorithm": {
                "enum": algorithms(),
                "description": "what is computed: docs/analytics.md has the definitions",
            },
            "parameters": {"type": "object", "description": "those of the algorithm, with expressions"},
            "weight_property": {"type": "string", "description": "the edge property that is an edge's weight, with expressions"},
            "write_property": {
                "type": "string",
                "description": "the node property that the first column of values is written to, with expressions",
            },
            "values": {
                "type": "integer",
                "minimum": 0,
                "maximum": MOST_VALUES,
                "default": 0,
                "description": "how many values are given, by the first column, the largest first",
            },
        });
        (properties, &["graph", "algorithm"])
    }
    fn acts(&self) -> bool {
        true
    }
    fn stops_itself(&self) -> bool {
        true
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let algorithm = settings.text("algorithm");
        let is_named = settings.get("algorithm").is_some_and(Json::is_string);
        if is_named && !algorithms().contains(&algorithm) {
            settings.wrong("algorithm", format!("must be one of {}", algorithms().join(", ")));
        }
        let parameters = settings.template_or("parameters", json!({}));
        if let Template::Literal(given) = &parameters
            && let Err(problem) = read(&algorithm, given)
            && is_named
            && algorithms().contains(&algorithm)
        {
            settings.wrong("parameters", problem);
        }
        Box::new(Asked {
            algorithm,
            graph: settings.template("graph"),
            parameters,
            weight: settings.template_or("weight_property", Json::Null),
            write: settings.template_or("write_property", Json::Null),
            values: settings.number("values", 0, (0, MOST_VALUES)),
        })
    }
    fn perform<'a>(
        &'a self,
        outside: &'a Outside,
        attempt: &'a Attempt,
        request: Arc<Json>,
    ) -> BoxFuture<'a, Result<Json, StepError>> {
        Box::pin(analysed(outside, attempt, request))
    }
}

/// What can be computed, as the contract calls it.
fn algorithms() -> Vec<String> {
    let kinds = descriptor(ALGORITHM).and_then(|of| of.oneofs().find(|one| one.name() == "kind"));
    kinds.map(|kinds| kinds.fields().map(|field| field.name().to_owned()).collect()).unwrap_or_default()
}

fn descriptor(name: &str) -> Option<MessageDescriptor> {
    weft_proto::pool().get_message_by_name(name)
}

/// An algorithm with its parameters, as JSON has them.
fn read(algorithm: &str, parameters: &Json) -> Result<Algorithm, String> {
    let whole = Json::Object(Map::from_iter([(algorithm.to_owned(), parameters.clone())]));
    let of = descriptor(ALGORITHM).ok_or("this mesh has no analyses")?;
    let message = DynamicMessage::deserialize(of, whole).map_err(|error| error.to_string())?;
    let read = Algorithm::decode(message.encode_to_vec().as_slice()).map_err(|error| error.to_string())?;
    match read.violations().first() {
        Some(wrong) => Err(format!("{} {}", wrong.field, wrong.description)),
        None => Ok(read),
    }
}

struct Asked {
    algorithm: String,
    graph: Template,
    parameters: Template,
    weight: Template,
    write: Template,
    values: u64,
}

impl Behaviour for Asked {
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        Ok(Move::Perform(Arc::new(json!({
            "algorithm": self.algorithm,
            "graph": self.graph.fill(step)?,
            "parameters": self.parameters.fill(step)?,
            "weight_property": self.weight.fill(step)?,
            "write_property": self.write.fill(step)?,
            "values": self.values,
        }))))
    }
}

async fn analysed(outside: &Outside, attempt: &Attempt, request: Arc<Json>) -> Result<Json, StepError> {
    let method = weft_proto::methods().get(CREATE);
    let method = method.ok_or_else(|| StepError::new("UNKNOWN_METHOD", CREATE))?;
    let parent = match request["graph"].as_str() {
        Some(name) if name.contains('/') => name.to_owned(),
        Some(id) => format!("projects/{}/graphs/{id}", attempt.project),
        None => return Err(StepError::new("BAD_REQUEST", "`graph` must be a text")),
    };
    attempt.may_call(method, Some(&parent))?;
    let client = AnalysisServiceClient::new(outside.peer(method)?);
    let algorithm = read(request["algorithm"].as_str().unwrap_or_default(), &request["parameters"]);
    let algorithm =
        algorithm.map_err(|error| StepError::new("BAD_REQUEST", format!("`parameters`: {error}")))?;
    let job = Job {
        algorithm: Some(algorithm),
        weight_property: text(&request, "weight_property")?,
        write_property: text(&request, "write_property")?,
        // It may wait for its turn beside that, and the step's own limit ends both.
        timeout: Some(span::of_micros(attempt.limit.as_micros().clamp(1_000_000, 3_600_000_000) as i64)),
        ..Job::default()
    };
    let create = CreateAnalysisRequest {
        parent,
        analysis: Some(job),
        request_id: attempt.request_id(),
        ..CreateAnalysisRequest::default()
    };
    may_write(attempt, &create)?;
    let failed = |status: Status| of_status(&status);
    let created = client.clone().create_analysis(create).await.map_err(failed)?.into_inner();
    let ended = end::of(&client, &created.name, attempt).await?;
    given(&client, ended, &request).await
}

/// Whether whoever started the run may have written what an analysis writes to its graph: the service asks who calls it, and
/// that is this service.
pub(super) fn may_write(attempt: &Attempt, create: &CreateAnalysisRequest) -> Result<(), StepError> {
    if writes(create) && !attempt.caller.has_scope("graph.write") {
        let message =
            "what writes to the graph needs the scope graph.write, which whoever started the run has not";
        return Err(StepError::new("GRPC_PERMISSION_DENIED", message));
    }
    Ok(())
}

/// Whether something of it is written to the graph.
fn writes(create: &CreateAnalysisRequest) -> bool {
    let Some(job) = &create.analysis else { return false };
    let edges = match job.algorithm.as_ref().and_then(|algorithm| algorithm.kind.as_ref()) {
        Some(Computed::Similarity(similarity)) => similarity.write_edge_type.as_str(),
        _ => "",
    };
    !job.write_property.is_empty() || !edges.is_empty()
}

fn text(request: &Json, name: &str) -> Result<String, StepError> {
    match &request[name] {
        Json::Null => Ok(String::new()),
        Json::String(text) => Ok(text.clone()),
        _ => Err(StepError::new("BAD_REQUEST", format!("`{name}` must be a text"))),
    }
}

async fn given(client: &AnalysisServiceClient<Peer>, job: Job, request: &Json) -> Result<Json, StepError> {
    match job.state() {
        AnalysisState::Succeeded => {}
        AnalysisState::Cancelled => {
            return Err(StepError::new("ANALYSIS_CANCELLED", format!("somebody has ended {}", job.name)));
        }
        _ => {
            let error = job.error.unwrap_or_default();
            let status = of_status(&Status::new(Code::from_i32(error.code), error.message));
            return Err(status);
        }
    }
    let mut values = Vec::new();
    let count = request["values"].as_u64().unwrap_or_default();
    if count > 0 {
        let list = ListAnalysisValuesRequest {
            name: job.name.clone(),
            page_size: i32::try_from(count).unwrap_or(i32::MAX),
            order_by: "value desc".to_owned(),
            ..ListAnalysisValuesRequest::default()
        };
        let listed = client.clone().list_analysis_values(list).await.map_err(|status| of_status(&status))?;
        let listed = listed.into_inner().values;
        values = listed.iter().map(|value| json_of(VALUE, value)).collect::<Result<_, _>>()?;
    }
    let result = json_of(RESULT, &job.result.unwrap_or_default())?;
    Ok(json!({"analysis": job.name, "result": result, "values": values}))
}

/// A message as JSON, as `grpc` nodes give it.
fn json_of(name: &str, message: &impl Message) -> Result<Json, StepError> {
    let bad = |error: &dyn std::fmt::Display| StepError::new("BAD_RESPONSE", error.to_string());
    let of = descriptor(name).ok_or_else(|| bad(&"it is of no type that is known"))?;
    let message =
        DynamicMessage::decode(of, message.encode_to_vec().as_slice()).map_err(|error| bad(&error))?;
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    message.serialize_with_options(serde_json::value::Serializer, &options).map_err(|error| bad(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_of_the_contract() {
        assert!(algorithms().contains(&"page_rank".to_owned()) && algorithms().len() > 10);
        assert!(read("page_rank", &json!({"damping": 0.5, "sources": ["a"]})).is_ok());
        for (algorithm, parameters) in [
            ("page_rank", json!({"damping": 2})),
            ("page_rank", json!({"damped": 0.5})),
            ("page_rank", json!([])),
            ("k_means", json!({})),
            ("guess", json!({})),
        ] {
            assert!(read(algorithm, &parameters).is_err(), "{algorithm} {parameters}");
        }
    }

    #[test]
    fn who_writes_to_the_graph_is_known_before() {
        let create = |parameters: Json, property: &str| {
            let algorithm = read("similarity", &parameters).expect("it is right");
            let job =
                Job { algorithm: Some(algorithm), write_property: property.to_owned(), ..Job::default() };
            CreateAnalysisRequest { analysis: Some(job), ..CreateAnalysisRequest::default() }
        };
        assert!(writes(&create(json!({"text": {}, "write_edge_type": "like"}), "")));
        assert!(writes(&create(json!({"text": {}}), "rank")) && !writes(&create(json!({"text": {}}), "")));
    }
}
