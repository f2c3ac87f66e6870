//! One connection: requests in, answers out, broken as their delivery says. Works on the raw stream, since a web
//! framework prevents resets, short bodies and endless bodies.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Shared;
use super::http1::{self, Head, Persistence};
use crate::options::Patience;
use crate::wire::{Delivery, Request, Response};

/// Space for one read in bytes.
const READ_BYTES: usize = 16 * 1024;

/// Bytes that a client has to take within a time.
const PIECE_BYTES: usize = 64 * 1024;

/// Bytes of white space in each chunk of an endless body.
const ENDLESS_BYTES: usize = 64 * 1024;

/// Serves until either side closes the connection. A client that disconnects is not an error, nor one that keeps it waiting.
pub(super) async fn run(stream: TcpStream, shared: Arc<Shared>) {
    let mut connection = Connection { stream, unread: Vec::new(), patience: shared.patience };
    // Answers are written whole; waiting for acknowledgements would cost 40 ms each.
    if connection.stream.set_nodelay(true).is_err() {
        return;
    }
    loop {
        let mut place = shared.waiting.enter();
        let asked = tokio::select! {
            asked = connection.next_request() => asked,
            () = place.closed() => return,
        };
        drop(place);
        let Ok(Some(Asked { request, host, persistence })) = asked else { return };
        let (response, persistence) = if shared.answers_as(&host) {
            (shared.answer(request).await, persistence)
        } else {
            let words = "this simulator answers as 127.0.0.1, localhost and [::1], with its port";
            (Response::new(421, "text/plain", words), Persistence::Close)
        };
        if !response.latency.is_zero() {
            pause(response.latency).await;
        }
        match connection.send(&response, persistence).await {
            Ok(Persistence::KeepAlive) => {}
            Ok(Persistence::Close) | Err(_) => return,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the simulator is slow on purpose")]
async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

/// A client's connection.
struct Connection {
    stream: TcpStream,
    /// Bytes received and not yet used: part of a request, or several requests.
    unread: Vec<u8>,
    patience: Patience,
}

/// A whole request, and the host that it was sent to.
struct Asked {
    request: Request,
    host: String,
    persistence: Persistence,
}

impl Connection {
    /// Returns the next request, or `None` when the client has closed, sent no HTTP, which is answered here, or took too long.
    async fn next_request(&mut self) -> io::Result<Option<Asked>> {
        if self.unread.is_empty() && timeout(self.patience.idle, self.read()).await?? == 0 {
            return Ok(None);
        }
        if let Ok(request) = timeout(self.patience.request, self.whole_request()).await {
            return request;
        }
        self.send(&Response::new(408, "text/plain", Vec::new()), Persistence::Close).await?;
        Ok(None)
    }

    async fn whole_request(&mut self) -> io::Result<Option<Asked>> {
        let head = loop {
            match http1::parse(&self.unread) {
                Ok(Some(head)) => break head,
                Ok(None) => {}
                Err(status) => {
                    let response = Response::new(status, "text/plain", Vec::new());
                    self.send(&response, Persistence::Close).await?;
                    return Ok(None);
                }
            }
            if self.read().await? == 0 {
                return Ok(None);
            }
        };
        let Head { mut request, length_bytes, body_bytes, persistence, host } = head;
        let end = length_bytes + body_bytes;
        while self.unread.len() < end {
            if self.read().await? == 0 {
                return Ok(None);
            }
        }
        request.body = self.unread[length_bytes..end].to_vec();
        self.unread.drain(..end);
        Ok(Some(Asked { request, host, persistence }))
    }

    /// Receives some bytes; 0 at the end of the stream.
    async fn read(&mut self) -> io::Result<usize> {
        self.unread.reserve(READ_BYTES);
        self.stream.read_buf(&mut self.unread).await
    }

    /// Sends bytes, as fast as a client takes them that is not too slow.
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE_BYTES) {
            timeout(self.patience.taking, self.stream.write_all(piece)).await??;
        }
        Ok(())
    }

    /// Sends the answer as its delivery says; returns the state of the connection afterwards.
    async fn send(
        &mut self,
        response: &Response,
        persistence: Persistence,
    ) -> io::Result<Persistence> {
        let body = &response.body;
        let head = http1::head(response, Some(body.len()), persistence);
        let start = |bytes: usize| [head.as_bytes(), &body[..bytes]].concat();
        match response.delivery {
            Delivery::Whole => {
                self.write(&start(body.len())).await?;
                Ok(persistence)
            }
            Delivery::Reset => self.reset(),
            Delivery::ResetAfter { bytes } => {
                self.write(&start(bytes)).await?;
                self.reset()
            }
            Delivery::CloseAfter { bytes } => {
                self.write(&start(bytes)).await?;
                Ok(Persistence::Close)
            }
            Delivery::Drip { bytes, pause: length } => {
                self.write(&start(0)).await?;
                for piece in body.chunks(bytes.max(1)) {
                    pause(length).await;
                    self.write(piece).await?;
                }
                Ok(persistence)
            }
            Delivery::Hang => {
                while self.read().await? > 0 {
                    self.unread.clear();
                }
                Ok(Persistence::Close)
            }
            Delivery::Endless => self.endless(response).await,
        }
    }

    /// Closes with a reset, so that the client sees an error even after a whole head.
    fn reset(&self) -> io::Result<Persistence> {
        self.stream.set_zero_linger()?;
        Ok(Persistence::Close)
    }

    /// Sends white space after the body until the client disconnects.
    async fn endless(&mut self, response: &Response) -> io::Result<Persistence> {
        let head = http1::head(response, None, Persistence::Close);
        self.write(head.as_bytes()).await?;
        let space = vec![b' '; ENDLESS_BYTES];
        let mut piece = &response.body;
        loop {
            // An empty chunk would end the body.
            if !piece.is_empty() {
                self.write(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
                self.write(piece).await?;
                self.write(b"\r\n").await?;
            }
            piece = &space;
        }
    }
}
