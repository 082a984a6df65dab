//! HTTP requests of a test, in plain text.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cluster::LIMIT;
use crate::process::Process;
use crate::wait::wait_for;

/// Time limit of one answer: a page may wait five seconds for the loop.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub code: u16,
    /// The status line and the headers.
    pub head: String,
    pub body: String,
}

impl Answer {
    /// Returns a header's value, or an empty text.
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// Returns the value of a sample, which is named with its labels.
    pub fn sample(&self, name: &str) -> Option<f64> {
        let mut lines = self.body.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }
}

/// Returns the port on which a program answers, from its log.
pub async fn port_of(process: &Process) -> u16 {
    wait_for("it listens", LIMIT, async || {
        let log = process.log();
        let (_, address) = log.rsplit_once("url=http://127.0.0.1:")?;
        address.split('/').next()?.parse().ok()
    })
    .await
}

/// Requests a page; `None` if there is no answer.
pub async fn get(port: u16, path: &str) -> Option<Answer> {
    ask(port, "GET", path, "").await
}

/// Makes a request, with more lines of headers.
pub async fn ask(port: u16, method: &str, path: &str, headers: &str) -> Option<Answer> {
    let host = match headers.contains("Host: ") {
        true => "",
        false => "Host: localhost\r\n",
    };
    let request = format!("{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n");
    let asked = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        Some(answer)
    };
    let answer = timeout(ANSWER_LIMIT, asked).await.ok()??;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some(Answer {
        code: head.split(' ').nth(1)?.parse().ok()?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}
