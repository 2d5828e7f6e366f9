//! A connection under guard: whoever floods it, leaves its handshake half done or takes nothing is cut off.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::{cuts::Cuts, floods::Floods, patience::Patience, places::Place, stalled::Stalls};
use crate::config::ConnectionOptions;

/// The connection's bytes as HTTP reads and writes them, whatever is beneath: TLS is.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    stream: S,
    address: SocketAddr,
    cuts: Cuts,
    /// Of HTTP/2.
    floods: Option<Floods>,
    /// When the handshake of HTTP/2 must be done; gone once it is.
    handshake: Option<Pin<Box<Sleep>>>,
    /// With a client that takes nothing, from its socket and from its streams.
    writing: Patience,
    stalls: Stalls,
    /// Kept for as long as there are bytes to come, also those of the WebSocket that it may become.
    place: Place,
}

impl<S> Guarded<S> {
    /// A connection of HTTP/1.
    pub(super) fn http1(
        stream: S,
        options: &ConnectionOptions,
        address: SocketAddr,
        cuts: Cuts,
        place: Place,
    ) -> Self {
        let (writing, stalls) = (Patience::new(options.stall_timeout), Stalls::default());
        Self { stream, address, cuts, floods: None, handshake: None, writing, stalls, place }
    }

    /// Makes it one of HTTP/2, whose handshake must be done by `handshake`, and whose streams tell when
    /// they stall.
    pub(super) fn speaking_http2(
        self,
        options: &ConnectionOptions,
        handshake: Instant,
        stalls: Stalls,
    ) -> Self {
        Self {
            floods: Some(Floods::new(options.control_frames)),
            handshake: Some(Box::pin(tokio::time::sleep_until(handshake))),
            stalls,
            ..self
        }
    }

    fn cut<T>(&self, why: &'static str) -> Poll<io::Result<T>> {
        self.cuts.count(why, self.address);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, format!("cut off: {why}"))))
    }

    fn has_read(&mut self, bytes: &[u8]) -> Poll<io::Result<()>> {
        let Some(floods) = &mut self.floods else { return Poll::Ready(Ok(())) };
        let read = floods.read(bytes);
        if self.handshake.is_some() && floods.is_greeted() {
            self.handshake = None;
        }
        match read {
            Ok(()) => Poll::Ready(Ok(())),
            Err(flood) => {
                self.place.flooded();
                self.cut(flood.0)
            }
        }
    }

    fn has_sent(&mut self, bytes: &[u8]) {
        if let Some(floods) = &mut self.floods {
            floods.wrote(bytes);
        }
    }

    /// Passes on how writing went, unless it stands still for too long.
    fn has_written<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.writing.goes_on();
        } else if self.writing.poll_over(context).is_ready() {
            return self.cut("takes_nothing");
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.stalls.are_too_many() {
            return this.cut("takes_nothing");
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Ready(Ok(())) => {
                let read = this.has_read(&buffer.filled()[before..]);
                if let Poll::Ready(Err(_)) = read {
                    // An error is no read, and leaves no bytes.
                    buffer.set_filled(before);
                }
                read
            }
            Poll::Pending => {
                let late = this.handshake.as_mut().is_some_and(|end| end.as_mut().poll(context).is_ready());
                if late { this.cut("handshake") } else { Poll::Pending }
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(length)) = polled {
            this.has_sent(&bytes[..length]);
        }
        this.has_written(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.stream).poll_write_vectored(context, pieces);
        if let Poll::Ready(Ok(mut left)) = polled {
            for piece in pieces {
                let sent = left.min(piece.len());
                this.has_sent(&piece[..sent]);
                left -= sent;
            }
        }
        this.has_written(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // HTTP flushes when everything is written: what was pending before is no more.
        let polled = Pin::new(&mut this.stream).poll_flush(context);
        this.has_written(polled, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.stream).poll_shutdown(context);
        this.has_written(polled, context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;
    use crate::{config::Rates, metrics::Metrics, server::places::Places};

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    const ACKNOWLEDGED: &[u8] = b"\0\0\0\x04\x01\0\0\0\0";
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0........";

    fn guarded() -> (DuplexStream, Guarded<DuplexStream>, Cuts) {
        let (client, server) = tokio::io::duplex(1 << 20);
        let options = ConnectionOptions {
            control_frames: Rates { per_second: 1, burst: 10 },
            stall_timeout: Duration::from_secs(60),
            ..ConnectionOptions::default()
        };
        let cuts = Cuts::default();
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let handshake = Instant::now() + Duration::from_secs(10);
        let place = Places::new(&options).take(address.ip()).expect("there is room");
        let server = Guarded::http1(server, &options, address, cuts.clone(), place);
        (client, server.speaking_http2(&options, handshake, Stalls::default()), cuts)
    }

    fn counted(cuts: &Cuts) -> String {
        let metrics = Metrics::new();
        cuts.register(&metrics);
        metrics.encode().lines().filter(|line| line.contains("why=")).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_ends_it() {
        let (mut client, mut server, cuts) = guarded();
        client.write_all(&[PREFACE, SETTINGS, ACKNOWLEDGED, &PING.repeat(9)].concat()).await.expect("room");
        let mut bytes = Vec::new();
        let error = server.read_to_end(&mut bytes).await.expect_err("eleven are a flood");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(counted(&cuts), r#"weft_server_cut_total{why="ping"} 1"#);
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_handshake_ends_it_and_a_whole_one_does_not() {
        let (mut client, mut server, cuts) = guarded();
        client.write_all(&[PREFACE, SETTINGS].concat()).await.expect("room");
        let began = Instant::now();
        let mut bytes = Vec::new();
        server.read_to_end(&mut bytes).await.expect_err("it is half");
        assert_eq!(began.elapsed(), Duration::from_secs(10));
        assert_eq!(counted(&cuts), r#"weft_server_cut_total{why="handshake"} 1"#);

        let (mut client, mut server, cuts) = guarded();
        client.write_all(&[PREFACE, SETTINGS, ACKNOWLEDGED].concat()).await.expect("room");
        let silent = tokio::time::timeout(Duration::from_hours(1), server.read_to_end(&mut bytes)).await;
        assert!(silent.is_err(), "it may be silent");
        assert_eq!(counted(&cuts), "");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_ends_it() {
        let (mut client, mut server, cuts) = guarded();
        let much = vec![0; 3 << 20];
        // It takes a little now and then: that is slow, and no more.
        let slow = async {
            let mut taken = vec![0; 1 << 20];
            for _ in 0..2 {
                tokio::time::sleep(Duration::from_secs(59)).await;
                client.read_exact(&mut taken).await.expect("it lives");
            }
        };
        let (written, ()) = tokio::join!(server.write_all(&much), slow);
        written.expect("it was taken");
        let began = Instant::now();
        server.write_all(&much).await.expect_err("nobody takes it");
        assert_eq!(began.elapsed(), Duration::from_secs(60));
        assert_eq!(counted(&cuts), r#"weft_server_cut_total{why="takes_nothing"} 1"#);
    }
}
