//! Are objects kept, in a folder and in an S3 service?

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use bytes::Bytes;
use weft_store::{
    OpenError, StoreError,
    objects::{Credentials, MAX_OBJECT_BYTES, Objects},
};

/// What must hold in every place. The place is empty.
async fn objects_are_kept(objects: &Objects) {
    assert!(matches!(objects.get("a/b", 10).await, Err(StoreError::NotFound { what: "object" })));
    for bytes in [Bytes::from_static(b"first"), Bytes::new(), Bytes::from_static(b"\0\xff second")] {
        objects.put("a/b", bytes.clone()).await.unwrap();
        assert_eq!(objects.get("a/b", 100).await.unwrap(), bytes);
    }
    assert_eq!(objects.get_range("a/b", 2..5).await.unwrap().len(), 3);
    assert!(matches!(objects.get_range("a/c", 2..5).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(objects.get("a/b", 8).await, Err(StoreError::Invalid { field: "object", .. })));
    assert_eq!(objects.get("a/b", 9).await.unwrap().len(), 9);

    for key in ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", &"x".repeat(513)] {
        let refused = objects.put(key, Bytes::new()).await;
        assert!(matches!(refused, Err(StoreError::Invalid { field: "key", .. })), "{key}: {refused:?}");
    }
    let large = Bytes::from(vec![0; MAX_OBJECT_BYTES + 1]);
    assert!(matches!(objects.put("large", large).await, Err(StoreError::Invalid { field: "object", .. })));

    objects.delete("a/b").await.unwrap();
    objects.delete("a/b").await.unwrap();
    assert!(matches!(objects.get("a/b", 10).await, Err(StoreError::NotFound { .. })));
    objects_are_listed(objects).await;
}

async fn objects_are_listed(objects: &Objects) {
    let sizes: BTreeMap<String, u64> = (0..25_u64).map(|n| (format!("list/{:02}", n * 7 % 25), n)).collect();
    for (key, size) in sizes.iter().rev() {
        objects.put(key, Bytes::from(vec![1; *size as usize])).await.unwrap();
    }
    objects.put("other/key", Bytes::new()).await.unwrap();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = objects.list("list", &after, 10).await.unwrap();
        assert!(page.len() <= 10);
        let Some(last) = page.last() else { break };
        after.clone_from(&last.key);
        seen.extend(page.into_iter().map(|info| (info.key, info.bytes)));
    }
    assert_eq!(seen, sizes.clone().into_iter().collect::<Vec<_>>());
    assert_eq!(objects.list("", "", 100).await.unwrap().len(), 26);
    assert!(objects.list("list", "", 0).await.unwrap().is_empty());
    assert!(objects.list("nothing", "", 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_folder_keeps_objects() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().join("made/when/opened").display());
    objects_are_kept(&Objects::open(&url, None).unwrap()).await;
    let again = Objects::open(&url, None).unwrap();
    assert_eq!(again.get("list/07", 100).await.unwrap().len(), 1);
    // A folder goes with the last that was in it, but for that of all.
    let place = folder.path().join("made/when/opened");
    assert!(!place.join("a").exists() && place.join("other").exists());
    for key in again.list("", "", 100).await.unwrap() {
        again.delete(&key.key).await.unwrap();
    }
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0);
    again.put("a/b", Bytes::new()).await.unwrap();
}

#[test]
fn urls_that_are_not_ours_are_refused() {
    for url in ["", "http://x", "file://relative", "file:///a?x=1", "s3://", "s3:///a", "s3://b?secret_key=s"]
    {
        match Objects::open(url, None) {
            Err(OpenError::Url(reason)) => assert!(!reason.contains("=s")),
            other => panic!("{url}: {other:?}"),
        }
    }
}

/// An S3 service on this machine, ended when dropped.
struct Service {
    process: Child,
    endpoint: String,
}

impl Service {
    /// Starts moto, or `None` where only what needs no server is to be tested. Panics when it cannot.
    fn start() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "tests are told by the environment where servers are")]
        let variable = |name| std::env::var(name).ok();
        if variable("WEFT_TEST_BACKENDS").as_deref() == Some("embedded") {
            return None;
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let program = variable("WEFT_TEST_MOTO")
            .map_or_else(|| root.join(".tools/venv/bin/moto_server"), |path| Path::new(&path).to_owned());
        // Taken and given back at once; moto itself cannot say which free port it has taken.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new(&program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "this test needs the S3 service moto, and {} cannot be started ({error}): run tools/setup, set \
                     WEFT_TEST_MOTO to a moto_server, or set WEFT_TEST_BACKENDS=embedded to leave it out",
                    program.display()
                )
            });
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let running = lines.by_ref().map_while(Result::ok).any(|line| line.contains("Running on"));
        assert!(running, "moto ended before it was ready: {:?}", process.wait());
        // Its log must go somewhere, or it stops when the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { process, endpoint: format!("http://127.0.0.1:{port}") })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill().expect("the service is still there");
        self.process.wait().expect("the service has ended");
    }
}

#[tokio::test]
async fn a_bucket_keeps_objects() {
    let Some(service) = Service::start() else { return };
    let credentials =
        || Some(Credentials { access_key_id: "test".into(), secret_access_key: "test-secret".into() });
    assert!(!format!("{:?}", credentials()).contains("test-secret"));
    let endpoint = &service.endpoint;
    let missing = Objects::open(&format!("s3://bucket?endpoint={endpoint}"), credentials()).unwrap();
    assert!(missing.put("a", Bytes::new()).await.is_err(), "there is no bucket yet");
    let made = reqwest::Client::new().put(format!("{endpoint}/bucket")).send().await.unwrap();
    assert!(made.status().is_success(), "{made:?}");

    let place = |prefix: &str| {
        let url = format!("s3://bucket{prefix}?endpoint={endpoint}&region=eu-central-1");
        Objects::open(&url, credentials()).unwrap()
    };
    objects_are_kept(&place("")).await;
    objects_are_kept(&place("/deep/prefix")).await;
    let inside = place("").get("deep/prefix/list/07", 100).await.unwrap();
    assert_eq!(inside.len(), 1);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("s3://bucket?endpoint=http://127.0.0.1:{port}");
    let credentials = Credentials { access_key_id: "a".into(), secret_access_key: "b".into() };
    let objects = Objects::open(&url, Some(credentials)).unwrap();
    let answer = tokio::time::timeout(std::time::Duration::from_secs(60), objects.get("a", 1)).await;
    assert!(matches!(answer, Ok(Err(StoreError::Unavailable(_)))), "{answer:?}");
}
