//! A TCP proxy before a server, so that a test can cut one program off.

use std::io::ErrorKind;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes connections on as long as it is not cut; ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    is_cut: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Listens on a port of its own, in front of `server` on this machine.
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free port is there");
        let address = listener.local_addr().expect("it listens");
        let (is_cut, cut) = watch::channel(false);
        Self {
            port: address.port(),
            is_cut,
            task: tokio::spawn(serve(listener, server, cut)),
        }
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Silently loses everything from now on, in both directions, or no longer; a
    /// connection that was cut stays dead.
    pub fn cut(&self, is_cut: bool) {
        self.is_cut.send_replace(is_cut);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, server: u16, cut: watch::Receiver<bool>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        tokio::spawn(pass_on(client, server, cut.clone()));
    }
}

async fn pass_on(mut client: TcpStream, port: u16, mut cut: watch::Receiver<bool>) {
    if *cut.borrow() {
        // Like a host that is not there: no answer, and no refusal either.
        let _ = cut.wait_for(|is_cut| !is_cut).await;
        return;
    }
    let mut server = match TcpStream::connect(("127.0.0.1", port)).await {
        Ok(server) => server,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
        Err(error) => panic!("cannot reach the server: {error}"),
    };
    let is_cut = tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => false,
        cut = cut.wait_for(|is_cut| *is_cut) => cut.is_ok(),
    };
    if is_cut {
        // Neither side is told: each believes that the other is silent.
        let _ = cut.wait_for(|is_cut| !is_cut).await;
    }
}
