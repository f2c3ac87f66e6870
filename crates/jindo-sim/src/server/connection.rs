//! One connection: requests in, answers out, broken where the answer says so. Works on the raw stream, since resets,
//! short bodies and bodies without end are what a web framework exists to prevent.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::Shared;
use super::http1::{self, After, Head, Length, Parsed};
use crate::wire::{Delivery, Request, Response};

/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

/// White space in each piece of an endless body.
const ENDLESS_BYTES: usize = 64 * 1024;

/// Serves until either side ends the connection. A client that goes away is not an error of ours.
pub(super) async fn run(stream: TcpStream, shared: Arc<Shared>) {
    let mut connection = Connection { stream, buffer: Vec::new(), piece: vec![0; READ_BYTES] };
    // Answers are written whole; waiting for acknowledgements would cost 40 ms each.
    if connection.stream.set_nodelay(true).is_err() {
        return;
    }
    while let Ok(Some((request, after))) = connection.next_request().await {
        let response = shared.answer(request).await;
        if !response.latency.is_zero() {
            pause(response.latency).await;
        }
        match connection.send(&response, after).await {
            Ok(After::KeepAlive) => {}
            Ok(After::Close) | Err(_) => return,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "slowness is what is simulated")]
async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

struct Connection {
    stream: TcpStream,
    /// Read, not yet used: part of a request, or the next ones.
    buffer: Vec<u8>,
    /// Where reads land first.
    piece: Vec<u8>,
}

impl Connection {
    /// The next request, or `None` when the client has closed.
    async fn next_request(&mut self) -> io::Result<Option<(Request, After)>> {
        loop {
            match http1::parse(&self.buffer) {
                Parsed::Incomplete => {}
                Parsed::Refused(status) => {
                    let response = Response::new(status, "text/plain", Vec::new());
                    self.send(&response, After::Close).await?;
                    return Ok(None);
                }
                Parsed::Head(head) => {
                    let Head { mut request, used_bytes, body_bytes, after } = *head;
                    let end = used_bytes + body_bytes;
                    while self.buffer.len() < end {
                        if self.read().await? == 0 {
                            return Ok(None);
                        }
                    }
                    request.body = self.buffer[used_bytes..end].to_vec();
                    self.buffer.drain(..end);
                    return Ok(Some((request, after)));
                }
            }
            if self.read().await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(&mut self.piece) {
                Ok(bytes) => {
                    self.buffer.extend_from_slice(&self.piece[..bytes]);
                    return Ok(bytes);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
    }

    async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.writable().await?;
            match self.stream.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    async fn send(&mut self, response: &Response, after: After) -> io::Result<After> {
        let body = &response.body;
        let head = http1::head(response, Length::Known(body.len()), after);
        match response.delivery {
            Delivery::Whole => {
                self.write(head.as_bytes()).await?;
                self.write(body).await?;
                Ok(after)
            }
            Delivery::Reset => self.reset(),
            Delivery::ResetAfter { bytes } => {
                self.write(head.as_bytes()).await?;
                self.write(&body[..bytes]).await?;
                self.reset()
            }
            Delivery::CloseAfter { bytes } => {
                self.write(head.as_bytes()).await?;
                self.write(&body[..bytes]).await?;
                Ok(After::Close)
            }
            Delivery::Drip { bytes, pause: length } => {
                self.write(head.as_bytes()).await?;
                for piece in body.chunks(bytes.max(1)) {
                    pause(length).await;
                    self.write(piece).await?;
                }
                Ok(after)
            }
            Delivery::Hang => {
                while self.read().await? > 0 {
                    self.buffer.clear();
                }
                Ok(After::Close)
            }
            Delivery::Endless => self.endless(response).await,
        }
    }

    /// Closes with a reset instead of an end, so that the client sees an error even after a whole head.
    fn reset(&self) -> io::Result<After> {
        self.stream.set_zero_linger()?;
        Ok(After::Close)
    }

    /// Ends only when the client gives up.
    async fn endless(&mut self, response: &Response) -> io::Result<After> {
        let head = http1::head(response, Length::Chunked, After::Close);
        self.write(head.as_bytes()).await?;
        self.chunk(&response.body).await?;
        let space = vec![b' '; ENDLESS_BYTES];
        loop {
            self.chunk(&space).await?;
        }
    }

    async fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(()); // an empty chunk would be the end
        }
        self.write(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
        self.write(bytes).await?;
        self.write(b"\r\n").await
    }
}
