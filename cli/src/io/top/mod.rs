//! `rolecast top`: the live view, one picture of it, or a JSON document for each update.

mod ask;
mod decisions;
mod keys;
mod screen;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use rolecast_common::subjects;
use rolecast_common::time::Time;
use terminal_size::{Width, terminal_size_of};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use self::ask::ask;
use self::keys::Input;
use self::screen::Screen;
use super::failure::Failure;
use super::session::{Session, no_dispatcher};
use super::status;
use super::terminal::Terminal;
use crate::args::top::Top;
use crate::config::Environment;
use crate::exit::Exit;
use crate::style::Tone;
use crate::top::once::Once;
use crate::top::picture::Answer;
use crate::top::{App, Command, Event, JobsOf, draw};

/// Inputs that wait for the loop: more than a person types and a server answers at once.
const INPUTS_MAX: usize = 256;
/// Decisions that are read for one picture.
const DECISIONS_ONCE: u64 = 20;
/// The width if stdout is not a terminal.
const COLUMNS: u16 = 80;

/// Checks before a connection is made that there is a terminal, if one is needed.
pub(super) fn check(
    top: &Top,
    environment: &Environment,
    terminal: &Terminal,
) -> Result<(), Failure> {
    if top.once || terminal.json || terminal.is_live {
        return Ok(());
    }
    let why = match environment.dumb_terminal {
        true => "this terminal cannot be drawn on (TERM=dumb)",
        false => "stdout is not a terminal",
    };
    let text = format!("{why}: rolecast top --once prints one picture, --json one after another");
    Err(Failure::new(Exit::Usage, text))
}

pub(super) async fn run(session: Session, top: &Top, terminal: &Terminal) -> Result<Exit, Failure> {
    if top.once {
        once(&session, terminal).await
    } else if terminal.json {
        document_lines(&session, top, terminal).await
    } else {
        live(session, top, terminal).await
    }
}

/// Prints one picture.
async fn once(session: &Session, terminal: &Terminal) -> Result<Exit, Failure> {
    let mut picture = Once::default();
    update(session, &mut picture).await?;
    // Older dispatchers have no list.
    if let Ok(jobs) = ask::jobs(session, &JobsOf::default(), None).await {
        picture.add(jobs);
    }
    match decisions::recent(session, DECISIONS_ONCE).await {
        Ok(recent) => picture.add(Answer::Decided(recent)),
        Err(failure) => picture.lacks_decisions(failure.text()),
    }
    if terminal.json {
        terminal.print_document(&picture.document())?;
        return Ok(Exit::Fine);
    }
    let width = terminal_size_of(io::stdout());
    let columns = width.map_or(COLUMNS, |(Width(columns), _)| columns);
    terminal.print(&picture.text(columns, terminal.palette))?;
    Ok(Exit::Fine)
}

/// Prints a document for each update, also while the dispatcher is away.
async fn document_lines(
    session: &Session,
    top: &Top,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let mut picture = Once::default();
    let mut ticks = interval(top.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match update(session, &mut picture).await {
            Ok(()) => terminal.print_json_line(&picture.document())?,
            Err(failure) => terminal.note(&terminal.notes.paint(Tone::Warning, &failure.text())),
        }
    }
}

/// Reads everything but decisions.
async fn update(session: &Session, picture: &mut Once) -> Result<(), Failure> {
    let status = status::request(session).await?.ok_or_else(no_dispatcher)?;
    picture.add(Answer::Page(Box::new(status)));
    let capacity = session.request(subjects::API_CAPACITY, Bytes::new());
    picture.add(Answer::Capacity(capacity.await?.ok_or_else(no_dispatcher)?));
    let roles = session.request(subjects::API_ROLES, Bytes::new());
    picture.add(Answer::Roles(Box::new(
        roles.await?.ok_or_else(no_dispatcher)?,
    )));
    Ok(())
}

/// Draws until the reader quits, a signal arrives, or the terminal is gone.
async fn live(session: Session, top: &Top, terminal: &Terminal) -> Result<Exit, Failure> {
    let session = Arc::new(session);
    let (inputs_out, mut inputs) = mpsc::channel(INPUTS_MAX);
    let mut signals = Signals::new()?;
    let mut screen = Screen::enter()?;
    keys::start(inputs_out.clone());
    let start = Instant::now();
    let now = || Time::from_start(start.elapsed());
    let mut app = App::new(top.interval, terminal.palette);
    let mut commands = Vec::new();
    app.handle(now(), Event::Tick, &mut commands);
    loop {
        for command in commands.drain(..) {
            match command {
                Command::Request(request) => ask(&session, request, &inputs_out),
                Command::Suspend => screen.suspend()?,
                Command::Redraw => screen.clear()?,
                Command::Quit => return Ok(Exit::Fine),
            }
        }
        screen.draw(|frame| draw(&app, now(), frame))?;
        let deadline = start + app.next_deadline().since(Time::ZERO);
        let mut input = tokio::select! {
            input = inputs.recv() => input,
            command = signals.next() => {
                commands.push(command);
                None
            }
            () = sleep_until(deadline) => Some(Input::Event(Box::new(Event::Tick))),
        };
        // What is at hand is drawn once.
        while let Some(taken) = input {
            match taken {
                Input::Event(event) => app.handle(now(), *event, &mut commands),
                Input::Resized => {}
                Input::Gone(error) => return Err(error.into()),
            }
            input = inputs.try_recv().ok();
        }
    }
}

/// Signals that end the view in order, and the one that suspends it.
#[derive(Debug)]
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    stop: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            stop: signal(SignalKind::from_raw(nix::libc::SIGTSTP))?,
        })
    }

    /// Returns the command of the next signal.
    async fn next(&mut self) -> Command {
        tokio::select! {
            _ = self.interrupt.recv() => Command::Quit,
            _ = self.terminate.recv() => Command::Quit,
            _ = self.hang_up.recv() => Command::Quit,
            _ = self.stop.recv() => Command::Suspend,
        }
    }
}
