//! Viewers of the live page: plain connections that read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A stream of updates that is read; it ends when this is dropped.
#[derive(Debug)]
pub struct Viewer {
    updates: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Viewer {
    /// Opens a view, such as `/nodes`, of the page at this port.
    pub fn open(port: u16, view: &str) -> Self {
        let updates = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&updates);
        let path = format!("/live?of={}", view.replace('?', "%3F").replace('=', "%3D"));
        #[allow(clippy::print_stderr, reason = "a benchmark reports what went wrong")]
        let task = tokio::spawn(async move {
            if let Err(error) = read(port, &path, &count).await {
                eprintln!("{path}: {error:#}");
            }
        });
        Self { updates, task }
    }

    /// Returns the number of updates received.
    pub fn updates(&self) -> usize {
        self.updates.load(Ordering::Relaxed)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(port: u16, path: &str, updates: &AtomicUsize) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let len = stream.read(&mut buffer).await?;
        anyhow::ensure!(len > 0, "the stream has ended");
        // Each update is one event that begins with this element.
        let text = String::from_utf8_lossy(&buffer[..len]);
        updates.fetch_add(text.matches("<main").count(), Ordering::Relaxed);
    }
}
