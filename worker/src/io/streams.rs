//! Streams of a command: its payload is written, and its output, errors and progress are
//! read, as they become ready.

use std::io::{ErrorKind, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::command::{Command, Tail};
use crate::progress::{Lines, Reporter};

/// One read; as much as a pipe holds.
const READ_LEN: usize = 64 * 1024;

/// The streams of a running command; one that is `None` is closed.
pub(super) struct Streams {
    stdin: Option<ChildStdin>,
    unsent: Bytes,
    stdout: Option<ChildStdout>,
    output: Vec<u8>,
    output_max: usize,
    is_truncated: bool,
    stderr: Option<ChildStderr>,
    tail: Tail,
    progress: Option<PipeReader>,
    lines: Lines,
    reporter: Reporter,
    buffer: Vec<u8>,
}

/// Everything that a command wrote, as far as it is kept.
pub(super) struct Written {
    pub(super) output: Vec<u8>,
    pub(super) is_truncated: bool,
    /// The end of its errors, and whether there were more.
    pub(super) log: Bytes,
    pub(super) is_log_truncated: bool,
}

impl Streams {
    /// Takes the streams of a command, and reports what it writes to `progress`.
    pub(super) fn of(
        command: &Command,
        child: &mut Child,
        payload: Bytes,
        progress: PipeReader,
        reporter: Reporter,
    ) -> Self {
        Self {
            // Without a payload stdin closes at once.
            stdin: child.stdin.take().filter(|_| !payload.is_empty()),
            unsent: payload,
            stdout: child.stdout.take(),
            output: Vec::new(),
            output_max: command.output_max,
            is_truncated: false,
            stderr: child.stderr.take(),
            tail: Tail::new(command.keep_stderr.tail_len()),
            progress: Some(progress),
            lines: Lines::default(),
            reporter,
            buffer: vec![0; READ_LEN],
        }
    }

    /// Returns whether the command may still write what is kept of it.
    pub(super) fn is_open(&self) -> bool {
        self.stdout.is_some() || self.stderr.is_some()
    }

    pub(super) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    pub(super) fn finish(self) -> Written {
        let (log, is_log_truncated) = self.tail.finish();
        Written {
            output: self.output,
            is_truncated: self.is_truncated,
            log,
            is_log_truncated,
        }
    }

    /// Waits until a stream is ready, `timeout` at most, and serves those that are.
    pub(super) fn exchange(&mut self, timeout: Duration) {
        let streams = [
            self.stdin.as_ref().map(|s| (s.as_fd(), PollFlags::POLLOUT)),
            self.stdout.as_ref().map(|s| (s.as_fd(), PollFlags::POLLIN)),
            self.stderr.as_ref().map(|s| (s.as_fd(), PollFlags::POLLIN)),
            self.progress
                .as_ref()
                .map(|s| (s.as_fd(), PollFlags::POLLIN)),
        ];
        let streams = streams.into_iter().flatten();
        let mut waits: Vec<PollFd<'_>> =
            streams.map(|(fd, flags)| PollFd::new(fd, flags)).collect();
        // At least a whole millisecond, or the last one would be spent in a busy loop.
        let timeout = timeout.max(Duration::from_millis(1));
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        // A signal may interrupt the wait; then the caller checks once more.
        let ready = poll(&mut waits, timeout).unwrap_or(0);
        if ready > 0 {
            self.feed();
            self.read_output();
            self.read_errors();
            self.read_progress();
        }
    }

    fn feed(&mut self) {
        let Some(stdin) = &mut self.stdin else {
            return;
        };
        match stdin.write(&self.unsent) {
            Ok(written) => self.unsent.advance(written),
            Err(error) if is_passing(error.kind()) => return,
            // The command closed its stdin: it does not need the rest.
            Err(_) => self.unsent.clear(),
        }
        if self.unsent.is_empty() {
            self.stdin = None;
        }
    }

    fn read_output(&mut self) {
        let Some(read) = read(&mut self.stdout, &mut self.buffer) else {
            return;
        };
        let room = self.output_max - self.output.len();
        let kept = &self.buffer[..read.min(room)];
        self.output.extend_from_slice(kept);
        self.is_truncated |= read > room;
    }

    fn read_errors(&mut self) {
        if let Some(read) = read(&mut self.stderr, &mut self.buffer) {
            self.tail.push(&self.buffer[..read]);
        }
    }

    fn read_progress(&mut self) {
        let Some(read) = read(&mut self.progress, &mut self.buffer) else {
            return;
        };
        if let Some(progress) = self.lines.take(&self.buffer[..read]) {
            self.reporter.report(progress);
        }
    }
}

/// Reads once; `None` if there is nothing, and a stream that ended is closed.
fn read<R: Read>(stream: &mut Option<R>, buffer: &mut [u8]) -> Option<usize> {
    match stream.as_mut()?.read(buffer) {
        Ok(0) => {
            *stream = None;
            None
        }
        Ok(read) => Some(read),
        Err(error) if is_passing(error.kind()) => None,
        Err(_) => {
            *stream = None;
            None
        }
    }
}

fn is_passing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
