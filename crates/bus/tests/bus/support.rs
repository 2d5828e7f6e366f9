//! What the tests of the bus need: Redis, a prefix of their own, and a wire that can be cut.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// The URL of the server without options, or `None` where only what needs no server is to be tested. Panics,
/// so that the test fails, when there is none.
pub(crate) async fn server() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests are told by the environment where servers are")]
    let variable = |name| std::env::var(name).ok();
    if variable("WEFT_TEST_BACKENDS").as_deref() == Some("embedded") {
        return None;
    }
    let server = variable("WEFT_TEST_REDIS").unwrap_or_else(|| "redis://127.0.0.1:6379".into());
    let opened = weft_bus::open(&server).await.expect("WEFT_TEST_REDIS is a URL");
    if let Err(error) = opened.bus.ping().await {
        panic!(
            "these tests need Redis, and none answers at {server} ({error}): start one, set WEFT_TEST_REDIS, \
             or set WEFT_TEST_BACKENDS=embedded to leave them out"
        );
    }
    Some(server)
}

/// A prefix that nobody else uses.
pub(crate) fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("weft-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A wire to a server that can be cut and mended.
pub(crate) struct Wire {
    /// Where this end is.
    pub(crate) address: String,
    whole: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Wire {
    /// A whole wire to `redis://HOST:PORT`.
    pub(crate) async fn to(server: &str) -> Self {
        let target = server.strip_prefix("redis://").unwrap().to_owned();
        let target = target.rsplit('@').next().unwrap().split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (whole, state) = watch::channel(true);
        #[expect(clippy::disallowed_methods, reason = "a test's own task, ended with it")]
        let task = tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                #[expect(clippy::disallowed_methods, reason = "ends with either side or when cut")]
                tokio::spawn(carry(near, target.clone(), state.clone()));
            }
        });
        Self { address, whole, task }
    }

    /// Breaks all connections, and refuses new ones.
    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Lets connections through again.
    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn carry(mut near: TcpStream, target: String, mut whole: watch::Receiver<bool>) {
    if !*whole.borrow() {
        return;
    }
    let mut far = TcpStream::connect(target).await.unwrap();
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = whole.wait_for(|whole| !whole) => {}
    }
}
