//! Every method of every contract, called by everybody: exactly those get in whom the contract lets in.

use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage, Value};
use serde_json::json;
use tonic::Code;
use weft_proto::{
    Method,
    google::api::{HttpRule, http_rule::Pattern},
    weft::{
        agent::v1::{ReceiveCollectorReportRequest, collector_service_client::CollectorServiceClient},
        command::v1::worker_service_client::WorkerServiceClient,
        execution::v1::{
            FindExecutionEndsRequest, FindTopicMessagesRequest,
            execution_service_client::ExecutionServiceClient,
        },
        identity::v1::{
            IntrospectApiKeyRequest, IssueMachineTokenRequest, OpenSecretRequest, Role,
            identity_service_client::IdentityServiceClient, secret_service_client::SecretServiceClient,
        },
        options::v1::{Access, Exposure},
        trigger::v1::{ReceiveWebhookRequest, trigger_service_client::TriggerServiceClient},
    },
};
use weft_tests::{
    client::Client,
    http::framed,
    mesh::Mesh,
    refused::{Refused, refused},
};

/// Somebody who calls, and what the contracts need to know about them.
struct Caller {
    name: &'static str,
    client: Client,
    /// Project and role; a role in `mesh` holds everywhere.
    grant: Option<(&'static str, Role)>,
    scopes: &'static [&'static str],
}

async fn callers(admin: &Client) -> Vec<Caller> {
    let mut all = vec![
        Caller { name: "nobody", client: admin.as_other(None), grant: None, scopes: &[] },
        Caller {
            name: "admin of the mesh",
            client: admin.clone(),
            grant: Some(("mesh", Role::Admin)),
            scopes: &[],
        },
    ];
    for (name, project, role, scopes) in [
        ("viewer", "p", Role::Viewer, &[][..]),
        ("operator", "p", Role::Operator, &[]),
        ("admin", "p", Role::Admin, &[]),
        ("admin of another project", "q", Role::Admin, &[]),
        ("admin narrowed to reading graphs", "p", Role::Admin, &["graph.read"]),
        ("admin narrowed to writing graphs", "p", Role::Admin, &["graph.write"]),
        ("admin narrowed to what nobody needs", "p", Role::Admin, &["nothing.read"]),
    ] {
        let key = admin.new_key(&format!("projects/{project}"), role, scopes).await;
        all.push(Caller { name, client: admin.as_other(Some(&key)), grant: Some((project, role)), scopes });
    }
    all
}

/// What the contract says of this caller; `None`: let in.
fn verdict(method: &Method, caller: &Caller, project: &str) -> Option<(Code, &'static str)> {
    let policy = method.policy.as_ref()?;
    let needed = match policy.access() {
        Access::Public => return None,
        Access::Authenticated => Role::Unspecified,
        Access::Viewer => Role::Viewer,
        Access::Operator => Role::Operator,
        Access::Admin => Role::Admin,
        Access::Mesh | Access::Unspecified => panic!("{} is not for the edge", method.path),
    };
    let Some((home, role)) = caller.grant else {
        return Some((Code::Unauthenticated, "CREDENTIALS_REQUIRED"));
    };
    let needs_scope = !policy.scope.is_empty() && !caller.scopes.is_empty();
    if needs_scope && !caller.scopes.contains(&policy.scope.as_str()) {
        return Some((Code::PermissionDenied, "SCOPE_REQUIRED"));
    }
    let role = if home == project || home == "mesh" { role } else { Role::Unspecified };
    (role < needed).then_some((Code::PermissionDenied, "ROLE_REQUIRED"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_method_lets_in_exactly_whom_its_contract_lets_in() {
    let mesh = Mesh::start().await;
    let callers = callers(&mesh.client()).await;
    let (mut methods, mut refusals, mut let_in) = (0, 0, 0);
    for method in weft_proto::methods().iter() {
        let Some(policy) = method.policy.as_ref().filter(|policy| policy.exposure() == Exposure::Edge) else {
            continue;
        };
        methods += 1;
        let resource = resource(method);
        let project = resource.split('/').nth(1).unwrap_or_default().to_owned();
        let mut request = DynamicMessage::new(method.descriptor.input());
        if !policy.resource_field.is_empty() {
            set(&mut request, &policy.resource_field, &resource);
        }
        let body = framed(0, &request.encode_to_vec());
        for caller in &callers {
            let verdict = verdict(method, caller, &project);
            // A watch of what is there goes on until its time is over.
            let is_endless = verdict.is_none() && method.descriptor.is_server_streaming();
            let headers: &[(&str, &str)] = if is_endless { &[("grpc-timeout", "300m")] } else { &[] };
            let answer = caller.client.grpc_raw(&method.path, headers, body.clone()).await;
            let what = format!("{} by {}: {answer:?}", method.path, caller.name);
            if let Some((code, reason)) = verdict {
                let refusal = Refused::from(answer.err().unwrap_or_else(|| panic!("let in: {what}")));
                assert_eq!((refusal.code, refusal.reason.as_str()), (code, reason), "{what}");
                refusals += 1;
            } else {
                let code = answer.err().map_or(Code::Ok, |status| status.code());
                assert!(!matches!(code, Code::Unauthenticated | Code::PermissionDenied), "kept out: {what}");
                let_in += 1;
            }
        }
    }
    eprintln!("{methods} methods, {refusals} refusals, {let_in} let in");
    assert!(
        methods >= 35 && refusals > 100 && let_in > 100,
        "the contracts were not read: {methods} {refusals} {let_in}"
    );
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_that_names_no_project_lets_nobody_in() {
    let mesh = Mesh::start().await;
    let key = mesh.client().new_key("projects/p", Role::Admin, &[]).await;
    let client = mesh.client().as_other(Some(&key));
    for method in weft_proto::methods().iter() {
        let Some(policy) = method.policy.as_ref().filter(|policy| !policy.resource_field.is_empty()) else {
            continue;
        };
        for name in
            ["", "p", "projects", "projects/", "projects//graphs/g", "/projects/p", "Projects/p/graphs/g"]
        {
            let mut request = DynamicMessage::new(method.descriptor.input());
            set(&mut request, &policy.resource_field, name);
            let answer = client.grpc_raw(&method.path, &[], framed(0, &request.encode_to_vec())).await;
            let refusal = refused(answer);
            assert_eq!(refusal.code, Code::InvalidArgument, "{} {name:?}: {refusal:?}", method.path);
            assert_eq!(refusal.fields, [policy.resource_field.as_str()], "{} {name:?}", method.path);
        }
    }
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_for_the_mesh_alone_does_not_exist_at_the_edge() {
    let mesh = Mesh::start().await;
    let admin = mesh.client();
    let described = admin.rest("GET /openapi.json", None).await.text().to_owned();
    let mut socket = admin.socket().await;
    let mut count = 0;
    for method in weft_proto::methods().iter() {
        if method.policy.as_ref().is_none_or(|policy| policy.exposure() == Exposure::Edge) {
            continue;
        }
        count += 1;
        let name = method.descriptor.name();
        let nothing = format!("/{}/Nothing", method.descriptor.parent_service().full_name());
        // Whatever is asked, the answer is that of a method that was never there.
        let same = |one: Refused, other: Refused| {
            assert_eq!((one.code, one.reason), (other.code, other.reason));
            assert_eq!(one.message.replace(name, "Nothing"), other.message);
        };
        for content_type in ["application/grpc", "application/grpc-web+proto"] {
            let headers = [("content-type", content_type)];
            let hidden = refused(admin.grpc_raw(&method.path, &headers, framed(0, b"\x0a\x01x")).await);
            assert_eq!(hidden.code, Code::Unimplemented);
            same(hidden, refused(admin.grpc_raw(&nothing, &headers, framed(0, b"")).await));
        }
        for line in ["POST", "GET"] {
            let hidden = admin.rest(&format!("{line} {}", method.path), Some(&json!({}))).await;
            let absent = admin.rest(&format!("{line} {nothing}"), Some(&json!({}))).await;
            assert_eq!((hidden.status, absent.status), (404, 404), "{}", hidden.text());
            same(Refused::from_json(&hidden.json()), Refused::from_json(&absent.json()));
        }
        let hidden = socket.unary(method.path.trim_start_matches("/weft."), &json!({})).await;
        let absent = socket.unary(nothing.trim_start_matches("/weft."), &json!({})).await;
        assert_eq!(hidden["status"]["code"], 12, "{hidden}");
        same(Refused::from_json(&hidden["status"]), Refused::from_json(&absent["status"]));
        assert!(!described.contains(name), "the API's description tells of {name}");

        // Beside the gateway, too, no person may call it.
        let mut inside = IdentityServiceClient::new(mesh.node().peers.lazy("identity"));
        let credential = format!("Bearer {}", mesh.key);
        let refusal = match method.descriptor.name() {
            "IntrospectApiKey" => {
                let request = IntrospectApiKeyRequest { api_key: "weft_x".into() };
                refused(inside.introspect_api_key(signed(request, &credential)).await)
            }
            "IssueMachineToken" => {
                let request = IssueMachineTokenRequest {
                    name: "projects/p/agents/a".into(),
                    uid: "7ead0000-0000-4000-8000-000000000000".into(),
                    scopes: vec!["agent.write".into()],
                };
                refused(inside.issue_machine_token(signed(request, &credential)).await)
            }
            "AttachWorkers" => {
                let mut workers = WorkerServiceClient::new(mesh.node().peers.lazy("command"));
                refused(workers.attach_workers(signed(futures::stream::empty(), &credential)).await)
            }
            "FindExecutionEnds" => {
                let mut executions = ExecutionServiceClient::new(mesh.node().peers.lazy("execution"));
                let request = FindExecutionEndsRequest::default();
                refused(executions.find_execution_ends(signed(request, &credential)).await)
            }
            "FindTopicMessages" => {
                let mut executions = ExecutionServiceClient::new(mesh.node().peers.lazy("execution"));
                let request = FindTopicMessagesRequest::default();
                refused(executions.find_topic_messages(signed(request, &credential)).await)
            }
            "OpenSecret" => {
                let mut secrets = SecretServiceClient::new(mesh.node().peers.lazy("identity"));
                let request = OpenSecretRequest { name: "projects/p/secrets/s".into() };
                refused(secrets.open_secret(signed(request, &credential)).await)
            }
            "AttachCollector" => {
                let mut collectors = CollectorServiceClient::new(mesh.node().peers.lazy("agent"));
                refused(collectors.attach_collector(signed(futures::stream::empty(), &credential)).await)
            }
            "ReceiveCollectorReport" => {
                let mut collectors = CollectorServiceClient::new(mesh.node().peers.lazy("agent"));
                let request = ReceiveCollectorReportRequest::default();
                refused(collectors.receive_collector_report(signed(request, &credential)).await)
            }
            "ReceiveWebhook" => {
                let mut triggers = TriggerServiceClient::new(mesh.node().peers.lazy("trigger"));
                let request = ReceiveWebhookRequest::default();
                refused(triggers.receive_webhook(signed(request, &credential)).await)
            }
            newcomer => panic!("call {newcomer} here too"),
        };
        refusal.is(Code::PermissionDenied, "MESH_ONLY", "");
    }
    assert!(count > 0, "there are such methods");
    mesh.stop_unhurt().await;
}

fn signed<T>(message: T, credential: &str) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", credential.parse().expect("ASCII"));
    request
}

/// A name that the method's resource field can hold, from the path that its contract binds it to.
fn resource(method: &Method) -> String {
    let policy = method.policy.as_ref().expect("it has one");
    let bound = http_rule(method).and_then(|rule| {
        let path = match rule.pattern? {
            Pattern::Get(path)
            | Pattern::Put(path)
            | Pattern::Post(path)
            | Pattern::Delete(path)
            | Pattern::Patch(path) => path,
            Pattern::Custom(custom) => custom.path,
        };
        let (_, template) = path.split_once(&format!("{{{}=", policy.resource_field))?;
        Some(template.split_once('}')?.0.to_owned())
    });
    let template = bound.unwrap_or_else(|| match policy.resource_field.as_str() {
        "begin.graph" => "projects/*/graphs/*".into(),
        "begin.name" => "projects/*/objects/*".into(),
        "open.name" => "projects/*/graphs/*/layouts/*".into(),
        "open.parent" => "projects/*".into(),
        // Only methods whose policy needs no project.
        "" => String::new(),
        other => panic!("{}: what is a good {other}?", method.path),
    });
    template.replacen('*', "p", 1).replace('*', "none")
}

fn http_rule(method: &Method) -> Option<HttpRule> {
    let pool = weft_proto::pool();
    let extension = pool.get_extension_by_name("google.api.http")?;
    let options = method.descriptor.options();
    let rule = options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())?;
    HttpRule::decode(rule.as_message()?.encode_to_vec().as_slice()).ok()
}

/// Sets a text at a path of fields.
fn set(message: &mut DynamicMessage, path: &str, value: &str) {
    match path.split_once('.') {
        None => message.set_field_by_name(path, Value::String(value.into())),
        Some((field, rest)) => {
            let descriptor: MessageDescriptor = message.descriptor();
            let field = descriptor.get_field_by_name(field).expect("the build checked it");
            let mut inner =
                DynamicMessage::new(field.kind().as_message().expect("the build checked it").clone());
            set(&mut inner, rest, value);
            message.set_field(&field, Value::Message(inner));
        }
    }
}
