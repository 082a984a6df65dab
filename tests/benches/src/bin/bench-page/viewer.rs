//! Viewers of the page: plain connections that read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A stream of updates that is read; it ends when this is dropped.
pub(crate) struct Viewer {
    updates: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Viewer {
    pub(crate) fn open(address: &str, view: &str) -> Self {
        let updates = Arc::new(AtomicUsize::new(0));
        let (address, count) = (address.to_owned(), Arc::clone(&updates));
        let path = format!("/live?of={}", view.replace('?', "%3F").replace('=', "%3D"));
        let task = tokio::spawn(async move {
            if let Err(error) = read(&address, &path, &count).await {
                eprintln!("{path}: {error:#}");
            }
        });
        Self { updates, task }
    }

    pub(crate) fn updates(&self) -> usize {
        self.updates.load(Ordering::Relaxed)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(address: &str, path: &str, updates: &AtomicUsize) -> anyhow::Result<()> {
    let mut stream = send(address, path).await?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let len = stream.read(&mut buffer).await?;
        anyhow::ensure!(len > 0, "the stream has ended");
        // Each update is one event that begins with this element.
        let text = String::from_utf8_lossy(&buffer[..len]);
        updates.fetch_add(text.matches("<main").count(), Ordering::Relaxed);
    }
}

async fn send(address: &str, path: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

/// Returns a page.
pub(crate) async fn get(address: &str, path: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    send(address, path).await?.read_to_end(&mut bytes).await?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    anyhow::ensure!(text.starts_with("HTTP/1.1 200"), "{path}: {text:.200}");
    let (_, body) = text
        .split_once("\r\n\r\n")
        .context("an answer has a body")?;
    Ok(body.to_owned())
}

/// Returns the page's address, which the dispatcher has logged.
pub(crate) fn address(log: &str) -> anyhow::Result<String> {
    let line = log.lines().find(|line| line.contains("http_listening"));
    let rest = line.and_then(|line| Some(line.split_once("http://")?.1));
    let rest = rest.context("the dispatcher reports its page")?;
    Ok(rest.split('/').next().unwrap_or_default().to_owned())
}
