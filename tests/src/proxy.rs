//! TCP proxy before a server, with which a test can cut, hold or slow down a link.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::logins;

/// Bytes read from one side at once.
const CHUNK_LEN: usize = 16 * 1024;
/// Chunks on their way in one direction: at 50 ms of delay 160 MB/s, more than servers on
/// one machine send each other.
const CHUNKS_MAX: usize = 512;

/// Fate of data that is sent through a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Open,
    /// It is lost, and the connection is dead for good: a host that disappeared.
    Cut,
    /// It waits, and so do new connections, until the way is open: a network that is cut
    /// for a while.
    Held,
    /// It arrives later by this, in each direction.
    Slow(Duration),
}

/// Forwards connections; ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    way: watch::Sender<Way>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Listens on a port of its own, in front of `server` on this machine.
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free port is there");
        let address = listener.local_addr().expect("it listens");
        let (way, seen) = watch::channel(Way::Open);
        Self {
            port: address.port(),
            way,
            task: tokio::spawn(serve(listener, server, seen)),
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL for a user of the server, whose password is its name.
    pub fn url_as(&self, user: &str) -> String {
        logins::url(self.port, user)
    }

    /// Silently loses all data from now on, in both directions, or no longer; a
    /// connection that was cut stays dead.
    pub fn cut(&self, is_cut: bool) {
        self.set(if is_cut { Way::Cut } else { Way::Open });
    }

    /// Sets the fate of all data from now on.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, server: u16, way: watch::Receiver<Way>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        tokio::spawn(pass_on(client, server, way.clone()));
    }
}

async fn pass_on(client: TcpStream, port: u16, mut way: watch::Receiver<Way>) {
    // Like a host that does not exist: no answer, and no refusal either.
    if *way.borrow() == Way::Cut {
        let _ = way.wait_for(|way| *way != Way::Cut).await;
        return;
    }
    if way.wait_for(|way| *way != Way::Held).await.is_err() {
        return;
    }
    // A server that is down refuses: the client sees its connection end.
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let is_cut = tokio::select! {
        () = copy(from_client, to_server, way.clone()) => false,
        () = copy(from_server, to_client, way.clone()) => false,
        cut = way.wait_for(|way| *way == Way::Cut) => cut.is_ok(),
    };
    if is_cut {
        // Neither side is notified: each believes that the other is silent.
        let _ = way.wait_for(|way| *way != Way::Cut).await;
    }
}

/// Forwards in one direction until either side ends.
async fn copy(
    from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Unpin,
    way: watch::Receiver<Way>,
) {
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    // Data read before the end is still delivered.
    tokio::join!(take(from, sender), deliver(receiver, to, way));
}

async fn take(mut from: impl AsyncRead + Unpin, chunks: mpsc::Sender<(Instant, Vec<u8>)>) {
    loop {
        let mut chunk = vec![0; CHUNK_LEN];
        let read = from.read(&mut chunk).await;
        let Some(len) = read.ok().filter(|len| *len > 0) else {
            return;
        };
        chunk.truncate(len);
        if chunks.send((Instant::now(), chunk)).await.is_err() {
            return;
        }
    }
}

async fn deliver(
    mut chunks: mpsc::Receiver<(Instant, Vec<u8>)>,
    mut to: impl AsyncWrite + Unpin,
    mut way: watch::Receiver<Way>,
) {
    while let Some((taken, chunk)) = chunks.recv().await {
        let passes = way.wait_for(|way| matches!(way, Way::Open | Way::Slow(_)));
        let Ok(delay) = passes.await.map(|way| delay(*way)) else {
            return;
        };
        tokio::time::sleep_until(taken + delay).await;
        if to.write_all(&chunk).await.is_err() {
            return;
        }
    }
}

fn delay(way: Way) -> Duration {
    match way {
        Way::Slow(delay) => delay,
        Way::Open | Way::Cut | Way::Held => Duration::ZERO,
    }
}
