//! One connection to a database: dialled to an address that may be called, secured, and driven only while somebody asks
//! something over it.

use std::{
    future::Future,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_postgres::{CancelToken, Client, Connection, NoTls, tls::NoTlsStream};
use weft_kit::egress::{Egress, EgressError, connector, secure};

use super::{
    connection::Target,
    fault,
    metered::{Allowance, Excess, Metered, Wire},
};
use crate::domain::fault::StepError;

/// How long a connection may take to be there, and how long to be agreed on.
const DIAL: Duration = Duration::from_secs(10);
const AGREE: Duration = Duration::from_secs(10);
/// What a server may say while that is agreed on, in bytes.
const GREETING: u64 = 256 << 10;
/// The first message of a client that wants to go on encrypted: its length, and a number that no protocol's version is.
const WANTS_TLS: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// What a session may have been left with. Prepared statements stay: the driver knows them.
const CLEAN: &str = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; \
    SELECT pg_advisory_unlock_all(); DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES";

/// An open connection.
pub(super) struct Link {
    pub(super) client: Client,
    connection: Connection<Metered, NoTlsStream>,
    pub(super) allowance: Arc<Allowance>,
    address: SocketAddr,
    pub(super) since: Instant,
}

/// Ends what a connection is asked, at the server.
pub(super) struct Cancel {
    token: CancelToken,
    address: SocketAddr,
}

impl Link {
    pub(super) async fn open(egress: &Egress, target: &Target, now: Instant) -> Result<Self, StepError> {
        let failed = |error: EgressError| fault::of_egress(&error);
        let stream = egress.dial(&target.host, target.port, DIAL).await.map_err(failed)?;
        let address = stream.peer_addr().map_err(|_| fault::lost())?;
        let agree = async {
            let wire = wire(target, stream).await?;
            let allowance = Arc::new(Allowance::new(GREETING));
            let metered = Metered::new(wire, Arc::clone(&allowance));
            let agreed = target.config.connect_raw(metered, NoTls).await;
            let (client, connection) = agreed.map_err(|error| fault::of_start(&error))?;
            Ok(Self { client, connection, allowance, address, since: now })
        };
        timeout(AGREE, agree).await.unwrap_or_else(|_| Err(fault::slow()))
    }

    /// What ends that which is asked over it.
    pub(super) fn cancel(&self) -> Cancel {
        Cancel { token: self.client.cancel_token(), address: self.address }
    }

    /// Does some work with the client. Notices of the server are heard by nobody: the driver would log them.
    pub(super) async fn drive<T>(
        &mut self,
        work: impl AsyncFnOnce(&Client) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let Self { client, connection, allowance, .. } = self;
        let mut work = pin!(work(client));
        let mut is_over = false;
        let done = std::future::poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            while !is_over {
                match connection.poll_message(context) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(None | Some(Err(_))) => is_over = true,
                    Poll::Pending => break,
                }
            }
            match work.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if is_over => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        let done = done.await;
        match allowance.excess() {
            Some(Excess::Bytes) => Err(fault::too_large()),
            Some(Excess::Answers) => Err(fault::too_many_types()),
            None => done.unwrap_or_else(|| Err(fault::lost())),
        }
    }

    /// Makes it as it was when it was opened; whether that could be done.
    pub(super) async fn clean(&mut self) -> bool {
        self.allowance.set(GREETING);
        let cleaned = self.drive(async |client| {
            client.batch_execute(CLEAN).await.map_err(|error| fault::of_statement(&error))
        });
        matches!(timeout(AGREE, cleaned).await, Ok(Ok(()))) && !self.client.is_closed()
    }
}

impl Cancel {
    /// Asks the server to end it. That it does is seen where it was asked.
    pub(super) async fn send(self, egress: &Egress, target: &Target) -> Result<(), StepError> {
        let dialled = egress.dial_again(self.address, DIAL).await;
        let stream = dialled.map_err(|error| fault::of_egress(&error))?;
        let wire = wire(target, stream).await?;
        self.token.cancel_query_raw(wire, NoTls).await.map_err(|_| fault::lost())
    }
}

/// A connection that is encrypted, where the target says so. It goes nowhere else than where it was dialled to.
async fn wire(target: &Target, mut stream: TcpStream) -> Result<Box<dyn Wire>, StepError> {
    if !target.is_secure {
        return Ok(Box::new(stream));
    }
    stream.write_all(&WANTS_TLS).await.map_err(|_| fault::lost())?;
    // One byte and no more: what came after it in plain text would be taken for what came encrypted.
    if stream.read_u8().await.map_err(|_| fault::lost())? != b'S' {
        return Err(fault::no_tls());
    }
    let connector = connector(target.ca.as_deref())
        .map_err(|problem| StepError::new("SQL_TLS", format!("no authority is known: {problem}")))?;
    let secured = secure(&connector, stream, &target.host).await;
    Ok(Box::new(secured.map_err(|error| fault::of_egress(&error))?))
}
