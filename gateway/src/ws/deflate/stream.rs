//! The stream that the library reads and writes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    Fault,
    input::Input,
    offer::Agreed,
    output::{Output, Packing},
};

/// Bytes that are read at once.
const AT_ONCE: usize = 2048;

/// A connection whose messages may be compressed.
pub(crate) struct Deflated<S> {
    connection: S,
    /// Nothing of it costs memory where client and server did not agree on compression.
    layer: Option<Box<Layer>>,
}

struct Layer {
    input: Input,
    read: Waiting,
    fault: Option<Fault>,
    output: Output,
    written: Waiting,
}

/// Bytes on their way between the library and the connection. Nothing is kept for when there are some.
#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    done: usize,
}

impl Waiting {
    fn left(&self) -> &[u8] {
        &self.bytes[self.done..]
    }

    fn advance(&mut self, by: usize) {
        self.done += by;
        if self.done == self.bytes.len() {
            *self = Self::default();
        }
    }
}

impl<S> Deflated<S> {
    /// The connection itself, or one whose messages, of at most `most` bytes, may be compressed as agreed, and are if they
    /// have `from` bytes and get smaller; with 0 all are, for those who judge how.
    pub(crate) fn new(connection: S, agreed: Option<Agreed>, from: usize, most: usize) -> Self {
        let packing = agreed.map(|agreed| Packing { window: agreed.window_bits(), from });
        let layer = packing.map(|packing| {
            Box::new(Layer {
                input: Input::new(most),
                read: Waiting::default(),
                fault: None,
                output: Output::new(packing),
                written: Waiting::default(),
            })
        });
        Self { connection, layer }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Deflated<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { connection, layer } = self.get_mut();
        let Some(layer) = layer else { return Pin::new(connection).poll_read(cx, buf) };
        while layer.read.left().is_empty() {
            // What came before the fault is read first.
            if let Some(fault) = layer.fault {
                return Poll::Ready(Err(fault.into()));
            }
            let mut bytes = [std::mem::MaybeUninit::uninit(); AT_ONCE];
            let mut came = ReadBuf::uninit(&mut bytes);
            ready!(Pin::new(&mut *connection).poll_read(cx, &mut came))?;
            if came.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            layer.fault = layer.input.take(came.filled(), &mut layer.read.bytes).err();
        }
        let left = layer.read.left();
        let taken = left.len().min(buf.remaining());
        buf.put_slice(&left[..taken]);
        layer.read.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Deflated<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.layer.is_none() {
            return Pin::new(&mut this.connection).poll_write(cx, buf);
        }
        // One write's worth waits at most, so a client that takes nothing is felt by the library.
        ready!(this.poll_written(cx))?;
        if let Some(layer) = &mut this.layer {
            layer.output.take(buf, &mut layer.written.bytes);
        }
        // What cannot be written now is when the library flushes.
        if let Poll::Ready(Err(error)) = this.poll_written(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_written(cx))?;
        Pin::new(&mut this.connection).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_written(cx))?;
        Pin::new(&mut this.connection).poll_shutdown(cx)
    }
}

impl<S: AsyncWrite + Unpin> Deflated<S> {
    /// Writes what waits.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(layer) = &mut self.layer else { return Poll::Ready(Ok(())) };
        while !layer.written.left().is_empty() {
            let written = ready!(Pin::new(&mut self.connection).poll_write(cx, layer.written.left()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            layer.written.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}
