//! Forged, foreign and old credentials, through the real gateway: UNAUTHENTICATED, and why.

use std::{collections::BTreeMap, fs};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use tonic::Code;
use weft_kit::{
    Clock,
    auth::{AUDIENCE, Claims, ISSUER, MESH_ISSUER, SigningKey},
};
use weft_proto::weft::identity::v1::{IssueTokenRequest, WhoAmIRequest, issue_token_request::Credential};
use weft_tests::{
    mesh::Mesh,
    refused::{Refused, refused, refused_rest},
};

/// Refuses a credential by every way in, for this reason.
async fn is_refused(mesh: &Mesh, credential: &str, reason: &str) {
    let client = mesh.client().as_other(Some(credential));
    refused(client.identity().who_am_i(WhoAmIRequest {}).await).is(Code::Unauthenticated, reason, "");
    let rest = client.rest("GET /v1/me", None).await;
    assert_eq!(rest.headers["www-authenticate"], "Bearer");
    refused_rest(&rest, 401).is(Code::Unauthenticated, reason, "");
    let mut socket = client.socket().await;
    let said = socket.unary("identity.v1.IdentityService/WhoAmI", &serde_json::json!({})).await;
    Refused::from_json(&said["status"]).is(Code::Unauthenticated, reason, "");
}

async fn token(mesh: &Mesh) -> String {
    let credential = Some(Credential::ApiKey(mesh.key.clone()));
    let request = IssueTokenRequest { credential, ..IssueTokenRequest::default() };
    mesh.client().identity().issue_token(request).await.expect("the key is good").into_inner().token
}

fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<&str> = token.split('.').collect();
    parts.try_into().expect("a JWT has three parts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_with_any_bit_of_its_signature_flipped_is_refused() {
    let mesh = Mesh::start().await;
    let token = token(&mesh).await;
    let [header, claims, signature] = parts(&token);
    let good = mesh.client().as_other(Some(&token));
    good.identity().who_am_i(WhoAmIRequest {}).await.expect("the token is good");
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    assert_eq!(bytes.len(), 64);
    for bit in 0..512 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let forged = format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(&bytes));
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut request = tonic::Request::new(WhoAmIRequest {});
        request.metadata_mut().insert("authorization", format!("Bearer {forged}").parse().expect("ASCII"));
        let answer = mesh.client().as_other(None).identity().who_am_i(request).await;
        refused(answer).is(Code::Unauthenticated, "TOKEN_INVALID", "");
    }
    // Whoever has been let in before is still let in.
    good.identity().who_am_i(WhoAmIRequest {}).await.expect("the token is good");
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_without_or_with_another_signature_are_refused() {
    let mesh = Mesh::start().await;
    let token = token(&mesh).await;
    let [header, claims, signature] = parts(&token);
    let header: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64url")).expect("JSON");
    for algorithm in ["none", "None", "NONE", "HS256", "RS256", "ES256"] {
        let mut forged = header.clone();
        forged["alg"] = algorithm.into();
        let forged = URL_SAFE_NO_PAD.encode(forged.to_string());
        is_refused(&mesh, &format!("{forged}.{claims}."), "TOKEN_INVALID").await;
        is_refused(&mesh, &format!("{forged}.{claims}.{signature}"), "TOKEN_INVALID").await;
    }
    // Another key under the same name, and under its own.
    let stranger = SigningKey::from_seed(&[7; 32]);
    let foreign = stranger.sign(&mesh_claims(ISSUER, "projects/mesh/apiKeys/admin"));
    is_refused(&mesh, &foreign, "TOKEN_INVALID").await;
    let [_, foreign_claims, foreign_signature] = parts(&foreign);
    let ours = URL_SAFE_NO_PAD.encode(header.to_string());
    is_refused(&mesh, &format!("{ours}.{foreign_claims}.{foreign_signature}"), "TOKEN_INVALID").await;
    // Claims of one token with the signature of another.
    let mut raised: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON");
    raised["grants"] = serde_json::json!({ "mesh": "admin", "p": "admin" });
    let raised = URL_SAFE_NO_PAD.encode(raised.to_string());
    is_refused(&mesh, &format!("{ours}.{raised}.{signature}"), "TOKEN_INVALID").await;
    for odd in ["x", "a.b", "a.b.c", "..", "a.b.c.d", "weft_", "weft_0000"] {
        let reason = if odd.starts_with("weft_") { "API_KEY_INVALID" } else { "TOKEN_INVALID" };
        is_refused(&mesh, odd, reason).await;
    }
    is_refused(&mesh, &"a".repeat(10_000), "TOKEN_INVALID").await;
    for header in ["Basic YTpi", "Bearer", "Bearer ", "bearer"] {
        let answer = mesh.client().rest_raw("GET /v1/me", &[("authorization", header)], "").await;
        refused_rest(&answer, 401).is(Code::Unauthenticated, "CREDENTIAL_MALFORMED", "");
    }
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_another_time_and_for_somebody_else_are_refused() {
    let mesh = Mesh::start().await;
    // The only key at hand that the mesh trusts is the one its own processes sign with.
    let seed = fs::read_to_string(mesh.data().join("mesh.key")).expect("it was made");
    let seed = STANDARD.decode(seed.trim()).expect("base64").try_into().expect("32 bytes");
    let key = SigningKey::from_seed(&seed);
    let good = mesh_claims(MESH_ISSUER, "services/graph");
    let sign = |change: fn(&mut Claims)| {
        let mut claims = good.clone();
        change(&mut claims);
        key.sign(&claims)
    };
    let client = mesh.client().as_other(Some(&sign(|_| {})));
    client.identity().who_am_i(WhoAmIRequest {}).await.expect("the key itself is trusted");
    is_refused(&mesh, &sign(|claims| claims.exp = claims.iat - 60), "TOKEN_EXPIRED").await;
    is_refused(&mesh, &sign(|claims| claims.exp = 0), "TOKEN_EXPIRED").await;
    is_refused(&mesh, &sign(|claims| claims.nbf += 600), "TOKEN_EXPIRED").await;
    is_refused(&mesh, &sign(|claims| claims.aud = "another".into()), "TOKEN_INVALID").await;
    is_refused(&mesh, &sign(|claims| claims.aud = String::new()), "TOKEN_INVALID").await;
    is_refused(&mesh, &sign(|claims| claims.iss = "another".into()), "TOKEN_INVALID").await;
    // It vouches for services, and for nobody else.
    is_refused(&mesh, &sign(|claims| claims.sub = "projects/mesh/apiKeys/admin".into()), "TOKEN_INVALID")
        .await;
    mesh.stop_unhurt().await;
}

fn mesh_claims(issuer: &str, subject: &str) -> Claims {
    let now = Clock::system().unix_seconds();
    Claims {
        iss: issuer.into(),
        aud: AUDIENCE.into(),
        sub: subject.into(),
        exp: now + 600,
        nbf: now,
        iat: now,
        auth_time: now,
        jti: "1".into(),
        name: String::new(),
        grants: BTreeMap::from([("mesh".into(), "admin".into())]),
        scopes: Vec::new(),
    }
}
