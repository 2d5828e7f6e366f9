//! The OpenAPI 3.1 document of the REST interface, made from the contracts.

mod operation;

use std::sync::OnceLock;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use prost_reflect::DescriptorPool;
use serde_json::{Map, Value, json};
use tonic::body::Body;
use weft_kit::Problem;

use crate::{
    refusal::Refusal,
    rest::Router,
    schema::{Schemas, comments},
};

/// The document. It is written when it is asked for the first time: it takes more memory than all else of a gateway,
/// and many are never asked.
#[derive(Debug)]
pub(crate) struct Document {
    title: String,
    written: OnceLock<Written>,
}

#[derive(Debug)]
struct Written {
    json: Bytes,
    etag: HeaderValue,
}

impl Document {
    pub(crate) fn new(title: &str) -> Self {
        Self { title: title.to_owned(), written: OnceLock::new() }
    }

    /// The document of the routes of `router`, which must be the same at every call.
    pub(crate) fn json(&self, router: &Router, pool: &DescriptorPool) -> Bytes {
        self.written(router, pool).json.clone()
    }

    fn written(&self, router: &Router, pool: &DescriptorPool) -> &Written {
        self.written.get_or_init(|| {
            let json = Bytes::from(document(router, pool, &self.title).to_string());
            let etag = HeaderValue::try_from(format!("\"{:016x}\"", digest(&json)));
            Written { json, etag: etag.expect("digits are visible ASCII") }
        })
    }

    /// Answers a request for the document, as [`Document::json`] has it.
    pub(crate) fn handle(
        &self,
        method: &Method,
        headers: &HeaderMap,
        router: &Router,
        pool: &DescriptorPool,
    ) -> Response<Body> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let problem =
                Problem::unimplemented("WRONG_HTTP_METHOD", format!("/openapi.json does not take {method}"));
            return Refusal::http(StatusCode::METHOD_NOT_ALLOWED, problem)
                .with_header(header::ALLOW, HeaderValue::from_static("GET, HEAD"))
                .into_response(pool);
        }
        let Written { json, etag } = self.written(router, pool);
        let is_known = headers.get_all(header::IF_NONE_MATCH).iter().any(|known| {
            known.to_str().is_ok_and(|known| etag.to_str().is_ok_and(|etag| known.contains(etag)))
        });
        let mut response = Response::new(Body::empty());
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else if method == Method::GET {
            *response.body_mut() = Body::new(Full::new(json.clone()));
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::ETAG, etag.clone());
        response
    }
}

/// FNV-1a, 64 bits: tells documents apart.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn document(router: &Router, pool: &DescriptorPool, title: &str) -> Value {
    let names = operation::Names::new(pool);
    let services = operation::Services::new(router);
    let mut schemas = Schemas::at("#/components/schemas/");
    let mut paths: Map<String, Value> = Map::new();
    let mut tags: Map<String, Value> = Map::new();
    for route in router.routes() {
        // Without a method of its own a route has no place in OpenAPI; and a client stream is no
        // HTTP request.
        let Some(method) = route.http_method.as_ref().filter(|_| !route.entry.client_streaming) else {
            continue;
        };
        let service = route.entry.descriptor.parent_service();
        let described = comments::of(&service.parent_file(), service.path());
        let called = services.called(service);
        tags.insert(called.clone(), json!({ "name": called, "description": described }));
        let (path, operation) = operation::of(route, &names, &services, &mut schemas);
        let item = paths.entry(path).or_insert_with(|| json!({}));
        let method = method.as_str().to_ascii_lowercase();
        // Routes that differ only in the form of a variable have one path here: the first stays.
        if item.get(&method).is_none() {
            item[method] = operation;
        }
    }
    schemas.add_status();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Made from the contracts. The same methods answer gRPC, gRPC-web and Connect on this port, and all \
                four kinds of calls over the WebSocket at /ws.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "tags": tags.into_iter().map(|(_, tag)| tag).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas.into_json(),
            "responses": { "Error": error_response() },
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token or an API key.",
                },
            },
        },
    })
}

fn error_response() -> Value {
    json!({
        "description": "An error: `google.rpc.Status`.",
        "headers": {
            "Retry-After": {
                "description": "Seconds after which to try again, where that can help.",
                "schema": { "type": "integer", "minimum": 0 },
            },
        },
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/google.rpc.Status" } } },
    })
}
