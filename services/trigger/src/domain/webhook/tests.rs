//! Signatures that others have made: the examples of GitHub's and Slack's documents, and Python's `hmac`.

use prost_types::Duration;
use weft_proto::weft::trigger::v1::{HmacAlgorithm, HmacEncoding, HmacSignature};

use super::*;

const BODY: &[u8] =
    br#"{"id":"evt_1","type":"invoice.paid","event_id":"Ev1","event":{"type":"app_mention"}}"#;
const SECRET: &str = "it is a secret to everybody";
const NOW: i64 = 1_800_000_000;

fn source(provider: WebhookProvider) -> WebhookSource {
    WebhookSource { provider: provider.into(), username: "ada".into(), ..WebhookSource::default() }
}

struct Case {
    source: WebhookSource,
    secret: String,
    body: Vec<u8>,
    headers: HashMap<String, String>,
    now: i64,
}

impl Case {
    fn new(source: WebhookSource, headers: &[(&str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { source, secret: SECRET.into(), body: BODY.into(), headers: headers.collect(), now: NOW }
    }

    fn verify(&self) -> Result<Verified, &'static str> {
        let key = key_of(self.source.provider(), &self.secret).unwrap();
        let keys = [b"another one".to_vec(), key];
        let came = Came { headers: &self.headers, body: &self.body, request_id: "r", now: self.now };
        verify(&self.source, &keys, &came).map_err(|error| match error {
            Error::NotVerified { reason, .. } => reason,
            other => panic!("{other}"),
        })
    }
}

fn cases() -> Vec<Case> {
    let hub = "sha256=98efd216ae06314de0d445580bdaa0ec6b72b08bf9fa7a9b1a3d09e98669b596";
    let time = ("x-slack-request-timestamp", "1800000000");
    let slack = "v0=63440b7c542a837c4a6f2690a8921aa6c415d8e02d3c03f97a9f648a804d1bc5";
    let stripe =
        "t=1800000000,v1=00ff,v1=AF2F6A8D7D3227F6C7B4FDB388406F2294FF5F077774F77E91578E76B70C1248,v0=1";
    let standard = "v1a,AAAA v1,BBBB v1,4UjOfSGhafqrXVbKZSyXxGuGY3/vk90a5WILT7eBzNQ=";
    let hmac = HmacSignature {
        header: "X-Signature".into(),
        algorithm: HmacAlgorithm::Sha512.into(),
        encoding: HmacEncoding::Base64.into(),
        prefix: "s=".into(),
        timestamp_header: "X-Time".into(),
        id_header: "X-Id".into(),
    };
    let hmac = WebhookSource { hmac: Some(hmac), ..source(WebhookProvider::Hmac) };
    let sha512 = "s=81rUyucucg/2zbaaGzdlPdBPZFF+QUsCnO8Or67VJJcmARsV7YJ9vUgOcWU9g+K9wbDuwb9d7uzt3fTrNj/RsQ==";
    let plain = HmacSignature { header: "x-signature".into(), ..HmacSignature::default() };
    let plain = WebhookSource { hmac: Some(plain), ..source(WebhookProvider::Hmac) };
    let mut standard_case = Case::new(
        source(WebhookProvider::StandardWebhooks),
        &[("webhook-signature", standard), ("webhook-id", "msg_1"), ("webhook-timestamp", "1800000000")],
    );
    standard_case.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into();
    let event = ("x-github-event", "push");
    vec![
        Case::new(
            source(WebhookProvider::Github),
            &[("x-hub-signature-256", hub), ("x-github-delivery", "d1"), event],
        ),
        Case::new(source(WebhookProvider::Gitlab), &[("x-gitlab-token", SECRET), ("idempotency-key", "g1")]),
        Case::new(source(WebhookProvider::Stripe), &[("stripe-signature", stripe)]),
        Case::new(source(WebhookProvider::Slack), &[("x-slack-signature", slack), time]),
        standard_case,
        Case::new(hmac, &[("x-signature", sha512), ("x-time", "1800000000"), ("x-id", "h1")]),
        Case::new(plain, &[("x-signature", &hub[7..])]),
        Case::new(
            source(WebhookProvider::Basic),
            &[("authorization", "basic YWRhOml0IGlzIGEgc2VjcmV0IHRvIGV2ZXJ5Ym9keQ==")],
        ),
    ]
}

#[test]
fn what_others_have_signed_is_taken() {
    let found: Vec<(String, String)> = cases()
        .iter()
        .map(|case| case.verify().unwrap_or_else(|reason| panic!("{:?}: {reason}", case.source.provider())))
        .map(|verified| (verified.event_id, verified.event_type))
        .collect();
    let of = |id: &str, kind: &str| (id.to_owned(), kind.to_owned());
    assert_eq!(
        found,
        [
            of("d1", "push"),
            of("g1", ""),
            of("evt_1", "invoice.paid"),
            of("Ev1", "app_mention"),
            of("msg_1", "invoice.paid"),
            of("h1", ""),
            of("", ""),
            of("", ""),
        ]
    );
}

#[test]
fn the_examples_of_documents_are_taken() {
    let mut github = Case::new(
        source(WebhookProvider::Github),
        &[("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")],
    );
    github.secret = "It's a Secret to Everybody".into();
    github.body = b"Hello, World!".into();
    assert!(github.verify().is_ok());
    let mut slack = Case::new(
        source(WebhookProvider::Slack),
        &[
            ("x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
            ("x-slack-request-timestamp", "1531420618"),
        ],
    );
    slack.secret = "8f742231b10e8888abcd99yyyzzz85a5".into();
    slack.now = 1_531_420_700;
    slack.body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
        &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
        &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
        &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
        .into();
    let verified = slack.verify().unwrap();
    assert_eq!(verified.event_id, "");
    assert!(verified.signature.starts_with("v0=a2114d"));
}

#[test]
fn what_is_changed_or_not_signed_is_refused() {
    for mut case in cases() {
        let provider = case.source.provider();
        let covers_body = !matches!(provider, WebhookProvider::Gitlab | WebhookProvider::Basic);
        case.body.push(b' ');
        assert_eq!(case.verify().is_err(), covers_body, "{provider:?}");
        case.body.pop();
        let secret = std::mem::replace(&mut case.secret, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into());
        assert!(case.verify().is_err(), "{provider:?} under another secret");
        case.secret = secret;
        let headers = std::mem::take(&mut case.headers);
        assert!(case.verify().is_err(), "{provider:?} without headers");
        for odd in ["", "sha256=", "t=,v1=", "v0=zz", "v1,", "basic", "Basic !!", "é"] {
            case.headers = headers.keys().map(|name| (name.clone(), odd.to_owned())).collect();
            assert!(case.verify().is_err(), "{provider:?} with {odd:?}");
        }
    }
}

#[test]
fn what_is_old_or_from_the_future_is_refused() {
    for mut case in cases() {
        let provider = case.source.provider();
        let has_time = case.source.hmac.as_ref().is_none_or(|hmac| !hmac.timestamp_header.is_empty());
        let timed = match provider {
            WebhookProvider::Stripe | WebhookProvider::Slack | WebhookProvider::StandardWebhooks => true,
            WebhookProvider::Hmac => has_time,
            _ => false,
        };
        for (now, is_near) in [(NOW + 300, true), (NOW - 300, true), (NOW + 301, false), (NOW - 301, false)] {
            case.now = now;
            let expected = if timed && !is_near { Err("TIMESTAMP_OUT_OF_WINDOW") } else { Ok(()) };
            assert_eq!(case.verify().map(|_| ()), expected, "{provider:?} {now}");
        }
        case.source.tolerance = Some(Duration { seconds: 10, nanos: 0 });
        case.now = NOW + 11;
        assert_eq!(case.verify().is_err(), timed, "{provider:?} within ten seconds");
    }
}

#[test]
fn slack_is_answered() {
    let mut case = Case::new(
        source(WebhookProvider::Slack),
        &[
            ("x-slack-signature", "v0=b9e4a2b7f9cbbc8d69e1fd35c3ed7eaeb5b2c8a1d6dd11a1e2f5a3b0a6c2c111"),
            ("x-slack-request-timestamp", "1800000000"),
        ],
    );
    case.body = br#"{"type":"url_verification","challenge":"3eZbrw1a"}"#.into();
    assert_eq!(case.verify(), Err("SIGNATURE_INVALID"));
    let signature = "v0=6995e8243aef2e4b080ee26c11c7a3dbcaaa7c1360838c640835ea4481961e02";
    case.headers.insert("x-slack-signature".into(), signature.into());
    assert_eq!(case.verify().unwrap().challenge.as_deref(), Some("3eZbrw1a"));
}

#[test]
fn secrets_are_not_kept() {
    let source = &cases()[5].source;
    for name in ["authorization", "cookie", "x-signature", "x-hub-signature-256", "x-gitlab-token"] {
        assert!(is_secret(source, name), "{name}");
    }
    assert!(!is_secret(source, "x-github-event"));
}

#[test]
fn a_weak_secret_of_standard_webhooks_is_none() {
    for secret in ["whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_%%%"] {
        assert!(key_of(WebhookProvider::StandardWebhooks, secret).is_err(), "{secret}");
    }
}
