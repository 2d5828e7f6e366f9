//! The bare peer: tokio-tungstenite with small buffers, and nothing else. What its one publisher says goes to all
//! other connections; what waits for one of them is written together.

use std::{io::Write as _, net::SocketAddr, time::Duration};

use anyhow::Result;
use futures::{SinkExt, StreamExt};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_tungstenite::{
    accept_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};
use weft_kit::Lifecycle;

/// The path of the publisher.
pub(super) const PUBLISH: &str = "/publish";
/// Messages that may wait for the slowest connection.
const WAITING: usize = 4_096;

/// Serves until standard input ends. The address is the first line that it prints.
pub(crate) async fn serve() -> Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let lifecycle = Lifecycle::new();
    let (said, _) = broadcast::channel(WAITING);
    let life = lifecycle.clone();
    lifecycle.spawn_future(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let said = said.clone();
                    life.spawn_future(async move {
                        // A connection that broke off is over.
                        let _ = Box::pin(connection(stream, said)).await;
                    });
                }
                // Too many files are open: some will be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    });
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

async fn connection(stream: TcpStream, said: broadcast::Sender<Message>) -> Result<()> {
    stream.set_nodelay(true)?;
    // What axum is given by those who have read what it costs: the buffers of the library are 128 KiB each.
    let config = WebSocketConfig::default().read_buffer_size(2 << 10).write_buffer_size(16 << 10);
    // The request comes in one piece, and all but its path is the library's to read.
    let mut first = [0; 32];
    let read = stream.peek(&mut first).await?;
    let publishes = first[..read].starts_with(format!("GET {PUBLISH} ").as_bytes());
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    let mut heard = said.subscribe();
    loop {
        tokio::select! {
            message = socket.next() => match message.transpose()? {
                None => return Ok(()),
                // Nobody needs to listen.
                Some(message) if publishes => drop(said.send(message)),
                Some(_) => {}
            },
            message = heard.recv(), if !publishes => {
                socket.feed(message?).await?;
                while let Ok(message) = heard.try_recv() {
                    socket.feed(message).await?;
                }
                socket.flush().await?;
            }
        }
    }
}
