//! Tokens, and who gets in with them.

use std::time::Duration;

use tonic::Code;
use weft_proto::weft::agent::v1::{
    AgentState, EnrollmentToken, ListEnrollmentTokensRequest, RevokeEnrollmentTokenRequest,
};

use crate::world::{Host, PROJECT, World, quick, refused};

#[tokio::test]
async fn a_token_lets_in_so_many_and_a_repeat_counts_once() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let labels = [("site".to_owned(), "north".to_owned())].into();
    let token = process.token(EnrollmentToken { max_uses: 2, labels, ..EnrollmentToken::default() }).await;

    let mut first = Host::new("Node7.example.org");
    let agent = first.enroll(&process, &token.secret).await.expect("the first");
    assert_eq!(agent.name, format!("{PROJECT}/agents/node7"));
    assert_eq!((agent.state(), &*agent.state_reason), (AgentState::Offline, "NEVER_CONNECTED"));
    assert_eq!(agent.labels["site"], "north");
    assert_eq!(agent.host.as_ref().map(|host| host.cpu_count), Some(2));
    assert_eq!(agent.enrollment_token, token.name);
    let again = first.enroll(&process, &token.secret).await.expect("a repeat");
    assert_eq!(again.uid, agent.uid);

    let mut second = Host::new("node7");
    let other = second.enroll(&process, &token.secret).await.expect("the second");
    assert!(other.name.starts_with(&format!("{PROJECT}/agents/node7-")), "{}", other.name);
    let mut third = Host::new("node8");
    refused(
        third.enroll(&process, &token.secret).await,
        Code::FailedPrecondition,
        "ENROLLMENT_TOKEN_USED_UP",
    );
    let list = process.by_admin(ListEnrollmentTokensRequest { parent: PROJECT.into(), ..Default::default() });
    let listed = process.client.clone().list_enrollment_tokens(list).await.expect("listed").into_inner();
    assert_eq!(listed.enrollment_tokens.len(), 1);
    assert_eq!((listed.enrollment_tokens[0].use_count, &*listed.enrollment_tokens[0].secret), (2, ""));
}

#[tokio::test]
async fn revoked_and_expired_tokens_and_wrong_signatures_let_nobody_in() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let revoked = process.token(EnrollmentToken::default()).await;
    let request = process.by_admin(RevokeEnrollmentTokenRequest { name: revoked.name.clone() });
    process.client.clone().revoke_enrollment_token(request).await.expect("revoked");
    let expired = process.token(EnrollmentToken::default()).await;
    let good = process.token(EnrollmentToken::default()).await;

    // What was signed is another token, or by another key.
    let mut forged = Host::new("a").request(&good.secret);
    forged.public_key = Host::new("b").request(&good.secret).public_key;
    refused(process.client.clone().enroll_agent(forged).await, Code::Unauthenticated, "PROOF_INVALID");
    world.clock.advance(Duration::from_hours(24));
    for secret in [&revoked.secret, &expired.secret, "weft_enroll_made-up"] {
        refused(
            Host::new("a").enroll(&process, secret).await,
            Code::Unauthenticated,
            "ENROLLMENT_TOKEN_INVALID",
        );
    }
}

#[tokio::test]
async fn only_the_key_gets_a_token_and_only_its_own() {
    let world = World::new().await;
    let process = world.process(quick()).await;
    let (a, b) = (process.joined("a").await, process.joined("b").await);
    let thief = Host { key: b.key.clone(), ..a.clone() };
    refused(thief.credential(&process).await, Code::Unauthenticated, "PROOF_INVALID");
    let nobody = Host { name: format!("{PROJECT}/agents/nobody"), ..a.clone() };
    refused(nobody.credential(&process).await, Code::Unauthenticated, "PROOF_INVALID");
    let of_b = b.credential(&process).await.expect("its own key");
    refused(a.attach_with(&process, "", &of_b).await, Code::PermissionDenied, "NOT_THIS_AGENT");
    // It is no role in the project: an agent cannot look at others.
    let request =
        crate::world::signed(weft_proto::weft::agent::v1::GetAgentRequest { name: a.name.clone() }, &of_b);
    let looked = process.client.clone().get_agent(request).await;
    assert_eq!(looked.expect_err("no role").code(), Code::PermissionDenied);
}
