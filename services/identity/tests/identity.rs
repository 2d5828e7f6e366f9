//! The identity service behind the whole runtime, over a real database: what a caller can and
//! cannot do with each credential.

use std::{sync::Arc, time::Duration};

use tempfile::TempDir;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use weft_identity::{Deps, IdentityService, Options, administrator};
use weft_kit::{
    Clock, Ids, Lifecycle, Peer,
    auth::{Authenticator, MeshIdentity, PeerIdentity, SigningKey, VerifyingKeys},
    client::{Outgoing, Peers},
    config::{LimitOptions, RateOptions, Rates},
    metrics::Metrics,
    paging::List,
    server::{Guards, Pipeline, RateLimits, Services},
};
use weft_proto::weft::identity::v1::{
    AccessToken, ApiKey, CreateApiKeyRequest, CreateSecretRequest, CreateTicketRequest, DeleteSecretRequest,
    GetApiKeyRequest, GetJsonWebKeySetRequest, GetSecretRequest, IntrospectApiKeyRequest, IssueTokenRequest,
    ListApiKeysRequest, OpenSecretRequest, Principal, RevokeApiKeyRequest, Role, RotateSigningKeyRequest,
    Secret, UpdateSecretRequest, WhoAmIRequest, identity_service_client::IdentityServiceClient,
    issue_token_request::Credential, secret_service_client::SecretServiceClient,
};
use weft_store::{SecretUpdate, Stores};

const MESH: [u8; 32] = [5; 32];

/// One process with the identity service.
struct World {
    client: IdentityServiceClient<Peer>,
    mesh: IdentityServiceClient<Peer>,
    secrets: SecretServiceClient<Peer>,
    mesh_secrets: SecretServiceClient<Peer>,
    admin: String,
    clock: Clock,
    stores: Stores,
    lifecycle: Lifecycle,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("weft.db").display());
        let stores = weft_store_sqlite::open(&url).await.expect("a fresh database");
        let clock = Clock::manual(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let (ids, lifecycle) = (Ids::system(), Lifecycle::new());
        let admin = administrator(&*stores.identity, &clock, &ids).await.expect("the first key");
        let deps = Deps {
            store: stores.identity.clone(),
            secrets: stores.secret.clone(),
            mesh_secret: MESH,
            clock: clock.clone(),
            ids: ids.clone(),
            lifecycle: lifecycle.clone(),
        };
        let service = IdentityService::open(Options::default(), deps).await.expect("it opens");
        let peers = Peers::new();
        let key = SigningKey::from_seed(&MESH);
        let as_mesh =
            |peer| Outgoing::peer(peer, MeshIdentity::new("test", key.clone(), clock.clone(), ids.clone()));
        let source = PeerIdentity(as_mesh(peers.lazy("identity")));
        let generous = Rates { per_second: 10_000, burst: 10_000 };
        let guards = Guards {
            authenticator: Arc::new(Authenticator::new(
                Arc::new(source),
                VerifyingKeys::new(&key.public()),
                clock.clone(),
            )),
            rates: RateLimits::new(&RateOptions { sign_in: generous, ..RateOptions::default() }),
            limits: LimitOptions::default(),
            metrics: Metrics::new(),
            ids: ids.clone(),
            lifecycle: lifecycle.clone(),
        };
        let services = Services::new(service.secrets().into_server()).and(service.into_server());
        let pipeline = Pipeline::new(&services, weft_proto::methods(), guards);
        let peer = Peer::shared(pipeline);
        peers.insert("identity", peer.clone());
        Self {
            mesh: IdentityServiceClient::new(as_mesh(peer.clone())),
            secrets: SecretServiceClient::new(peer.clone()),
            mesh_secrets: SecretServiceClient::new(as_mesh(peer.clone())),
            client: IdentityServiceClient::new(peer),
            admin: admin.secret.reveal().to_owned(),
            clock,
            stores,
            lifecycle,
            _folder: folder,
        }
    }

    async fn who(&self, credential: &str) -> Result<Principal, Status> {
        Ok(self.client.clone().who_am_i(signed(WhoAmIRequest {}, credential)).await?.into_inner())
    }

    async fn issue(&self, credential: Credential) -> Result<AccessToken, Status> {
        let request = IssueTokenRequest { credential: Some(credential), request_id: String::new() };
        Ok(self.client.clone().issue_token(request).await?.into_inner())
    }

    async fn token(&self, api_key: &str) -> String {
        self.issue(Credential::ApiKey(api_key.to_owned())).await.expect("a good key").token
    }

    async fn create(&self, as_whom: &str, project: &str, key: ApiKey) -> Result<ApiKey, Status> {
        let request = CreateApiKeyRequest {
            parent: format!("projects/{project}"),
            api_key: Some(key),
            ..Default::default()
        };
        Ok(self.client.clone().create_api_key(signed(request, as_whom)).await?.into_inner())
    }
}

fn signed<T>(message: T, credential: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {credential}").parse().expect("ASCII");
    request.metadata_mut().insert("authorization", value);
    request
}

fn key(role: Role) -> ApiKey {
    ApiKey { role: role.into(), ..ApiKey::default() }
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

#[tokio::test]
async fn a_key_and_its_token_stand_for_the_same_principal() {
    let world = World::new().await;
    let by_key = world.who(&world.admin).await.expect("a good key");
    assert_eq!(by_key.name, "projects/mesh/apiKeys/admin");
    let by_token = world.who(&world.token(&world.admin).await).await.expect("a good token");
    assert_eq!((by_token.name, by_token.grants), (by_key.name, by_key.grants));
}

#[tokio::test]
async fn what_is_not_a_credential_is_refused() {
    let world = World::new().await;
    assert_eq!(
        world.client.clone().who_am_i(WhoAmIRequest {}).await.expect_err("nobody").code(),
        Code::Unauthenticated
    );
    for bad in ["", "x", "weft_unknown", "a.b.c", "ticket_x", &"a".repeat(7_000)] {
        assert_eq!(
            world.who(bad).await.expect_err("not a credential").code(),
            Code::Unauthenticated,
            "{bad:.20}"
        );
    }
    let token = world.token(&world.admin).await;
    world.clock.advance(Duration::from_secs(14 * 60));
    world.who(&token).await.expect("still good");
    world.clock.advance(Duration::from_secs(70));
    let status = world.who(&token).await.expect_err("expired, though it was remembered as good");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, "TOKEN_EXPIRED"));
}

#[tokio::test]
async fn nobody_gives_more_than_they_hold_and_projects_are_apart() {
    let world = World::new().await;
    let operator =
        world.create(&world.admin, "p", key(Role::Operator)).await.expect("the administrator may").secret;
    let admin_of_p =
        world.create(&world.admin, "p", key(Role::Admin)).await.expect("the administrator may").secret;
    let refused = world.create(&operator, "p", key(Role::Viewer)).await.expect_err("an operator may not");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "ROLE_REQUIRED"));
    world.create(&admin_of_p, "p", key(Role::Admin)).await.expect("in their own project");
    for elsewhere in ["q", "mesh"] {
        let refused =
            world.create(&admin_of_p, elsewhere, key(Role::Viewer)).await.expect_err("not their project");
        assert_eq!(refused.code(), Code::PermissionDenied, "{elsewhere}");
    }
    let narrow = ApiKey { scopes: vec!["identity.write".into()], ..key(Role::Admin) };
    let narrow = world.create(&world.admin, "p", narrow).await.expect("the administrator may").secret;
    let wide = world.create(&narrow, "p", key(Role::Viewer)).await.expect_err("wider than its creator");
    assert_eq!(reason(&wide), "MORE_THAN_HELD");
    let list = ListApiKeysRequest { parent: "projects/p".into(), ..Default::default() };
    let unread = world
        .client
        .clone()
        .list_api_keys(signed(list, &narrow))
        .await
        .expect_err("it holds no identity.read");
    assert_eq!(reason(&unread), "SCOPE_REQUIRED");
    let bad = CreateApiKeyRequest {
        parent: "projects/p".into(),
        api_key: Some(key(Role::Unspecified)),
        ..Default::default()
    };
    let bad = world.client.clone().create_api_key(signed(bad, &world.admin)).await.expect_err("no role");
    assert_eq!(
        bad.get_error_details().bad_request().expect("it names the field").field_violations[0].field,
        "api_key.role"
    );
}

#[tokio::test]
async fn only_the_mesh_introspects() {
    let world = World::new().await;
    let ask = || IntrospectApiKeyRequest { api_key: world.admin.clone() };
    let refused =
        world.client.clone().introspect_api_key(signed(ask(), &world.admin)).await.expect_err("a person");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "MESH_ONLY"));
    let nobody = world.client.clone().introspect_api_key(ask()).await.expect_err("nobody");
    assert_eq!((nobody.code(), reason(&nobody).as_str()), (Code::Unauthenticated, "CREDENTIALS_REQUIRED"));
    let principal = world.mesh.clone().introspect_api_key(ask()).await.expect("the mesh may").into_inner();
    assert_eq!(principal.name, "projects/mesh/apiKeys/admin");
}

#[tokio::test]
async fn a_revoked_key_is_refused_everywhere_within_seconds() {
    let world = World::new().await;
    let made = world.create(&world.admin, "p", key(Role::Viewer)).await.expect("the administrator may");
    let token = world.token(&made.secret).await;
    world.who(&made.secret).await.expect("good");
    let revoke = || signed(RevokeApiKeyRequest { name: made.name.clone() }, &world.admin);
    let revoked = world.client.clone().revoke_api_key(revoke()).await.expect("it exists").into_inner();
    assert!(revoked.revoke_time.is_some() && revoked.secret.is_empty());
    let again = world.client.clone().revoke_api_key(revoke()).await.expect("twice is once").into_inner();
    assert_eq!(again.revoke_time, revoked.revoke_time);

    world.clock.advance(Duration::from_secs(6));
    assert_eq!(reason(&world.who(&made.secret).await.expect_err("revoked")), "API_KEY_INVALID");
    for credential in [Credential::ApiKey(made.secret), Credential::AccessToken(token)] {
        assert_eq!(world.issue(credential).await.expect_err("revoked").code(), Code::Unauthenticated);
    }
}

#[tokio::test]
async fn a_ticket_is_good_once_and_for_minutes() {
    let world = World::new().await;
    let ticket = || async {
        let request = signed(CreateTicketRequest::default(), &world.admin);
        world.client.clone().create_ticket(request).await.expect("signed in").into_inner().ticket
    };
    let one = ticket().await;
    let token = world.issue(Credential::Ticket(one.clone())).await.expect("the first time").token;
    assert_eq!(world.who(&token).await.expect("good").name, "projects/mesh/apiKeys/admin");
    assert_eq!(
        world.issue(Credential::Ticket(one)).await.expect_err("the second time").code(),
        Code::Unauthenticated
    );
    let late = ticket().await;
    world.clock.advance(Duration::from_secs(601));
    assert_eq!(
        world.issue(Credential::Ticket(late)).await.expect_err("too late").code(),
        Code::Unauthenticated
    );
}

#[tokio::test]
async fn tokens_can_be_renewed_until_the_session_ends() {
    let world = World::new().await;
    let mut token = world.token(&world.admin).await;
    for _ in 0..53 {
        world.clock.advance(Duration::from_secs(800));
        token = world.issue(Credential::AccessToken(token)).await.expect("within twelve hours").token;
    }
    world.clock.advance(Duration::from_secs(850));
    let over = world.issue(Credential::AccessToken(token)).await.expect_err("twelve hours are over");
    assert_eq!(over.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn rotation_fails_no_call() {
    let world = World::new().await;
    let old = world.token(&world.admin).await;
    let published = || async {
        world
            .client
            .clone()
            .get_json_web_key_set(GetJsonWebKeySetRequest {})
            .await
            .expect("public")
            .into_inner()
            .keys
    };
    let before = published().await;
    let rotate = RotateSigningKeyRequest { project: "projects/mesh".into(), ..Default::default() };
    let kid = world
        .client
        .clone()
        .rotate_signing_key(signed(rotate, &world.admin))
        .await
        .expect("an administrator");
    let after = published().await;
    assert_eq!(after.len(), before.len() + 1);
    assert!(after.iter().any(|key| key.kid == kid.get_ref().kid));
    let new = world.token(&world.admin).await;
    world.who(&old).await.expect("old tokens stay good");
    world.who(&new).await.expect("new ones are known at once");
}

#[tokio::test]
async fn a_repeated_creation_is_answered_once_without_the_secret() {
    let world = World::new().await;
    let request = CreateApiKeyRequest {
        parent: "projects/p".into(),
        api_key_id: "k".into(),
        api_key: Some(key(Role::Viewer)),
        request_id: "6f0c4f5e-6c5a-4a53-a3b1-1ad7c9f0e001".into(),
    };
    let mut client = world.client.clone();
    let first = client.create_api_key(signed(request.clone(), &world.admin)).await.expect("new").into_inner();
    let repeat =
        client.create_api_key(signed(request.clone(), &world.admin)).await.expect("a repeat").into_inner();
    assert!(first.secret.starts_with("weft_") && repeat.secret.is_empty());
    assert_eq!(ApiKey { secret: String::new(), ..first }, repeat);
    let other = CreateApiKeyRequest { api_key_id: "other".into(), ..request.clone() };
    let other =
        client.create_api_key(signed(other, &world.admin)).await.expect_err("another request with the id");
    assert_eq!(reason(&other), "REQUEST_ID_REUSED");
    let taken = CreateApiKeyRequest { request_id: String::new(), ..request };
    let taken = client.create_api_key(signed(taken, &world.admin)).await.expect_err("the name is taken");
    assert_eq!((taken.code(), reason(&taken).as_str()), (Code::AlreadyExists, "API_KEY_ALREADY_EXISTS"));
    let got = client.get_api_key(signed(GetApiKeyRequest { name: repeat.name.clone() }, &world.admin)).await;
    assert_eq!(got.expect("it exists").into_inner().uid, repeat.uid);
}

#[tokio::test]
async fn lists_come_in_pages_and_tokens_belong_to_their_list() {
    let world = World::new().await;
    for _ in 0..5 {
        world.create(&world.admin, "p", key(Role::Viewer)).await.expect("the administrator may");
    }
    let page = |parent: &str, page_token: String| ListApiKeysRequest {
        parent: parent.into(),
        page_size: 2,
        page_token,
    };
    let mut client = world.client.clone();
    let mut names = Vec::new();
    let mut token = String::new();
    let mut pages = 0;
    loop {
        let got = client
            .list_api_keys(signed(page("projects/p", token), &world.admin))
            .await
            .expect("a page")
            .into_inner();
        names.extend(got.api_keys.into_iter().map(|key| key.name));
        pages += 1;
        token = got.next_page_token;
        if token.is_empty() {
            break;
        }
        let elsewhere = client.list_api_keys(signed(page("projects/q", token.clone()), &world.admin)).await;
        let refused = elsewhere.expect_err("of another list");
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
        let details = refused.get_error_details();
        assert_eq!(
            details.bad_request().expect("it names the field").field_violations[0].field,
            "page_token"
        );
    }
    assert_eq!((names.len(), pages), (5, 3));
    assert!(names.is_sorted());
}

#[tokio::test]
async fn a_token_that_was_made_up_shows_nothing_that_the_caller_may_not_see() {
    let world = World::new().await;
    for project in ["p", "q"] {
        world.create(&world.admin, project, key(Role::Viewer)).await.expect("the administrator may");
    }
    let made = world.create(&world.admin, "p", key(Role::Admin)).await.expect("the administrator may");
    let list = |project: &str, cursor: &str| ListApiKeysRequest {
        parent: format!("projects/{project}"),
        // Right in every way, and never given to anybody.
        page_token: List::of(&["ListApiKeys", &format!("projects/{project}")]).token(cursor),
        ..ListApiKeysRequest::default()
    };
    let mut client = world.client.clone();
    // In a list that the caller may read, it is a place in that list and nothing else.
    for cursor in ["\u{1}", "' OR '1'='1", "../q/", "projects/q/apiKeys/"] {
        let page = client.list_api_keys(signed(list("p", cursor), &made.secret)).await;
        let page = page.expect("a place like any other").into_inner();
        assert!(page.api_keys.iter().all(|key| key.name.starts_with("projects/p/")), "{cursor}: {page:?}");
    }
    // In one that the caller may not, it opens nothing.
    let refused = client.list_api_keys(signed(list("q", "a"), &made.secret)).await.expect_err("of p");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "ROLE_REQUIRED"));
    // And what no database compares is refused before one sees it.
    let refused = client.list_api_keys(signed(list("p", "a\0"), &made.secret)).await.expect_err("no place");
    let details = refused.get_error_details();
    assert_eq!(details.bad_request().expect("it names the field").field_violations[0].field, "page_token");
}

#[tokio::test]
async fn another_mesh_cannot_open_the_signing_keys() {
    let world = World::new().await;
    let deps = Deps {
        store: world.stores.identity.clone(),
        secrets: world.stores.secret.clone(),
        mesh_secret: [6; 32],
        clock: world.clock.clone(),
        ids: Ids::system(),
        lifecycle: world.lifecycle.clone(),
    };
    IdentityService::open(Options::default(), deps).await.expect_err("sealed with another secret");
}

const TOKEN: &str = "projects/p/secrets/token";

impl World {
    async fn set(&self, value: &str, request_id: &str) -> Result<Secret, Status> {
        let secret = Secret {
            value: value.to_owned(),
            allowed_hosts: vec!["api.example.org".to_owned()],
            ..Secret::default()
        };
        let request = CreateSecretRequest {
            parent: "projects/p".to_owned(),
            secret_id: "token".to_owned(),
            secret: Some(secret),
            request_id: request_id.to_owned(),
        };
        Ok(self.secrets.clone().create_secret(signed(request, &self.admin)).await?.into_inner())
    }

    async fn change(&self, secret: Secret) -> Result<Secret, Status> {
        let secret = Some(Secret { name: TOKEN.to_owned(), ..secret });
        let request = UpdateSecretRequest { secret, update_mask: None };
        Ok(self.secrets.clone().update_secret(signed(request, &self.admin)).await?.into_inner())
    }

    async fn opened(&self) -> Result<(String, Vec<String>), Status> {
        let request = OpenSecretRequest { name: TOKEN.to_owned() };
        let opened = self.mesh_secrets.clone().open_secret(request).await?.into_inner();
        Ok((opened.value, opened.allowed_hosts))
    }
}

#[tokio::test]
async fn a_secret_is_opened_for_the_mesh_and_shown_to_nobody() {
    let world = World::new().await;
    let made = world.set("one", "").await.expect("an administrator may");
    assert_eq!((made.name.as_str(), made.value.as_str()), (TOKEN, ""));
    let hosts = vec!["api.example.org".to_owned()];
    assert_eq!(world.opened().await.expect("the mesh may"), ("one".to_owned(), hosts.clone()));
    let request = || OpenSecretRequest { name: TOKEN.to_owned() };
    let refused = world.secrets.clone().open_secret(signed(request(), &world.admin)).await;
    assert_eq!(refused.expect_err("nobody else may").code(), Code::PermissionDenied);

    // Another value; and another name, which leaves the value and says so.
    world.clock.advance(Duration::from_secs(60));
    let valued =
        world.change(Secret { value: "two".into(), ..Secret::default() }).await.expect("it is there");
    assert_eq!(world.opened().await.expect("the mesh may"), ("two".to_owned(), hosts));
    world.clock.advance(Duration::from_secs(60));
    let named = Secret { display_name: "for tests".into(), etag: valued.etag.clone(), ..Secret::default() };
    let named = world.change(named).await.expect("its etag is the newest");
    assert_eq!((named.value_time, named.create_time), (valued.value_time, made.create_time));
    let seconds = |secret: &Secret| secret.update_time.map(|time| time.seconds);
    assert!(seconds(&named) > seconds(&valued));
    let stale = Secret { value: "three".into(), etag: valued.etag, ..Secret::default() };
    assert_eq!(reason(&world.change(stale).await.expect_err("an old etag")), "ETAG_MISMATCH");
    assert_eq!(world.opened().await.expect("the mesh may").0, "two");

    let stored = world.stores.secret.sealed_secret("p", "token").await.expect("it is there");
    assert!(!stored.sealed.windows(3).any(|part| part == b"two"));

    // Who can write to the database and has no key of the mesh cannot free it of its hosts.
    let (row, stores) =
        (world.stores.secret.get_secret("p", "token").await.expect("it is there"), &world.stores);
    let freed = |settings, expected_version| SecretUpdate {
        uid: row.uid,
        expected_version,
        settings,
        sealed: None,
        at: row.updated,
    };
    stores.secret.update_secret(freed(bytes::Bytes::new(), row.version)).await.expect("the row is there");
    assert_eq!(reason(&world.opened().await.expect_err("it is sealed for its hosts")), "SECRET_UNREADABLE");
    let back = freed(row.settings.clone(), row.version + 1);
    stores.secret.update_secret(back).await.expect("the row is there");
    // Who sets secrets can.
    let other = Secret { allowed_hosts: vec!["*.example.org".into()], ..Secret::default() };
    world.change(other).await.expect("an administrator may");
    assert_eq!(world.opened().await.expect("the mesh may"), ("two".into(), vec!["*.example.org".into()]));

    let delete = DeleteSecretRequest { name: TOKEN.to_owned(), etag: String::new() };
    world.secrets.clone().delete_secret(signed(delete, &world.admin)).await.expect("it is there");
    assert_eq!(reason(&world.opened().await.expect_err("it is gone")), "SECRET_NOT_FOUND");
    let get = GetSecretRequest { name: TOKEN.to_owned() };
    let gone = world.secrets.clone().get_secret(signed(get, &world.admin)).await.expect_err("it is gone");
    assert_eq!(gone.code(), Code::NotFound);
}

#[tokio::test]
async fn a_secret_is_created_once() {
    let world = World::new().await;
    let id = "6f7cf57c-3b0e-4b60-9c4b-2f3e0d1b7a01";
    let made = world.set("one", id).await.expect("an administrator may");
    assert_eq!(world.set("one", id).await.expect("the same request"), made);
    assert_eq!(reason(&world.set("two", id).await.expect_err("another request")), "REQUEST_ID_REUSED");
    assert_eq!(reason(&world.set("two", "").await.expect_err("it is there")), "SECRET_ALREADY_EXISTS");
    assert_eq!(world.opened().await.expect("the mesh may").0, "one");
    let empty = CreateSecretRequest {
        parent: "projects/p".to_owned(),
        secret_id: "empty".to_owned(),
        secret: Some(Secret::default()),
        request_id: String::new(),
    };
    let refused = world.secrets.clone().create_secret(signed(empty, &world.admin)).await;
    assert_eq!(refused.expect_err("it has no value").code(), Code::InvalidArgument);
}
