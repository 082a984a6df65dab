//! The server: a thread with a runtime of its own, and limits on what it serves at once.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

use crate::guard::Guard;
use crate::settings::{Listen, Settings};

/// Connections at once: browsers open six each, Prometheus one. More are closed at once.
const CONNECTIONS_MAX: usize = 128;
/// Time for the headers of a request, and until the next one on a connection: longer than
/// the usual interval between scrapes.
const HEADERS_LIMIT: Duration = Duration::from_secs(30);
/// Age at which a connection is closed, whatever its reader does. A browser opens its
/// stream again.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(900);
/// Bytes of a request's headers: more than a browser sends.
const BUFFER_MAX: usize = 16 * 1024;
/// Pause after a failure to accept, as without a free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time for answers in progress at the end.
const GRACE: Duration = Duration::from_millis(500);

/// An address on which a program listens, before it serves.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
    guard: Guard,
}

impl Door {
    /// Listens, if the settings have an address. `None` if not, or if another program has
    /// the default address: that is logged.
    ///
    /// # Errors
    /// If the token cannot be read, or the chosen address cannot be used.
    pub fn open(settings: &Settings) -> anyhow::Result<Option<Self>> {
        let (address, is_chosen) = match settings.listen() {
            Listen::Off => return Ok(None),
            Listen::Default(address) => (address, false),
            Listen::At(address) => (address, true),
        };
        let guard = settings.guard()?;
        let listener = match TcpListener::bind(address) {
            Ok(listener) => listener,
            Err(error) if error.kind() == ErrorKind::AddrInUse && !is_chosen => {
                tracing::warn!(
                    event = "http_off",
                    %address,
                    "another program has the address, so there are no metrics and no page of this \
                     one; set listen under [http] to another address, or to \"off\""
                );
                return Ok(None);
            }
            Err(error) => {
                let why = format!(
                    "cannot listen on {address}; set listen under [http] to an address of this \
                     machine that is free, or to \"off\""
                );
                return Err(error).context(why);
            }
        };
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Some(Self {
            listener,
            address,
            guard,
        }))
    }

    /// Serves the pages until the server is stopped or dropped.
    pub fn serve(self, pages: Router) -> anyhow::Result<Server> {
        let Self {
            listener,
            address,
            guard,
        } = self;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let pages = guard.before(pages);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("http".to_owned());
        let thread = thread.spawn(move || {
            let served = runtime.block_on(serve(listener, pages, stopped));
            if let Err(error) = served {
                tracing::error!(event = "http_failed", "HTTP ended: {error}");
            }
            runtime.shutdown_background();
        })?;
        tracing::info!(event = "http_listening", url = %format_args!("http://{address}/"));
        Ok(Server {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Returns the address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    /// Ends it: answers in progress get a moment.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was printed.
            let _ = thread.join();
        }
    }
}

async fn serve(
    listener: TcpListener,
    pages: Router,
    stopped: oneshot::Receiver<Infallible>,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut stopped = pin!(stopped);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.as_mut() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    continue;
                };
                let connection = connect(stream, pages.clone(), connections.watcher());
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(event = "http_not_accepted", "{error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    // Streams of events never end by themselves.
    let _ = timeout(GRACE, connections.shutdown()).await;
    Ok(())
}

async fn connect(stream: TcpStream, pages: Router, watcher: Watcher) {
    // Small events must not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADERS_LIMIT)
        .max_buf_size(BUFFER_MAX);
    let served = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    match timeout(CONNECTION_AGE_MAX, watcher.watch(served)).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => tracing::debug!(event = "http_broken", "{error}"),
    }
}
