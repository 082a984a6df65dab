//! Last act: the leader's host gets a real load without notice, the backup takes over,
//! and when the load is gone the leader gets its role back.

use std::path::Path;
use std::time::{Duration, Instant};

use rolecast_common::subjects::API_ROLES;
use rolecast_common::wire::{self, Encoding, RolesView};
use tokio::time::sleep;

use super::super::session::Session;
use super::super::terminal::Terminal;
use super::cluster::Cluster;
use super::cores::Cores;
use super::own_load::{self, OwnLoad};
use crate::demo::fleet::{FLEET, LEADER, TERM};
use crate::demo::logins::url_as;
use crate::demo::story::Story;
use crate::style::Tone;

const CHECK_EVERY: Duration = Duration::from_millis(100);
/// A role's lease of 10 s, and an election after it.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// The time for which a node must be known before it is judged.
const CALM: Duration = Duration::from_secs(22);
/// Time limit of each part of the act, which takes a few seconds; on a busy machine it
/// may never happen, and that is reported.
const PART_MAX: Duration = Duration::from_secs(45);
/// A forecast predicts calm when the last minute was calm.
const RESTORE_MAX: Duration = Duration::from_secs(150);

/// One run of the act.
pub(super) struct Act<'a> {
    pub(super) session: &'a Session,
    pub(super) terminal: &'a Terminal,
    pub(super) worker: &'a Path,
    pub(super) url: &'a str,
}

impl Act<'_> {
    /// Plays it, and reports the result.
    pub(super) async fn play(
        &self,
        cluster: &mut Cluster,
        killed: Option<&str>,
    ) -> anyhow::Result<()> {
        if let Some(node) = killed {
            self.print_line(Tone::Faint, &format!("{node} is started again"));
            self.start_again(cluster, node)?;
        }
        let Some(leader) = self.wait_leader(None, SETTLE_MAX, &mut None).await else {
            self.print_line(
                Tone::Warning,
                "leader and backup are not there, so no role moves",
            );
            return Ok(());
        };
        let text = format!(
            "{leader} is leader; {} s of calm, to learn what is usual",
            CALM.as_secs()
        );
        self.print_line(Tone::Faint, &text);
        sleep(CALM).await;
        let mut story = self
            .view()
            .await
            .map(|view| Story::new(LEADER.parse().expect("it is a role"), &view));
        let load = OwnLoad::find(cluster, &leader)?;
        load.go_on();
        self.print_line(
            Tone::Plain,
            &format!("an unannounced load begins on {leader}"),
        );
        let began = Instant::now();
        let other = self
            .wait_leader(Some((&leader, false)), PART_MAX, &mut story)
            .await;
        let Some(other) = other else {
            self.print_line(
                Tone::Warning,
                "no role has moved: is this machine busy with other things?",
            );
            return Ok(());
        };
        let after = began.elapsed().as_secs_f64();
        self.print_line(
            Tone::Good,
            &format!("{other} leads {after:.1} s after the load began"),
        );
        load.stop();
        let text = format!(
            "the load on {leader} ends; the role returns after {} s at least, when the forecast \
             of {leader} is well for as long",
            TERM.as_secs()
        );
        self.print_line(Tone::Plain, &text);
        let back = self
            .wait_leader(Some((&leader, true)), RESTORE_MAX, &mut story)
            .await;
        match &back {
            Some(_) => self.print_line(Tone::Good, &format!("{leader} leads again")),
            None => self.print_line(Tone::Warning, "the role did not return in time"),
        }
        Ok(())
    }

    fn start_again(&self, cluster: &mut Cluster, node: &str) -> anyhow::Result<()> {
        let config = format!("{node}.toml");
        let url = url_as(self.url, node);
        let arguments = ["--config", config.as_str(), "--nats-url", &url];
        let index = FLEET.iter().position(|member| member.node == node);
        Cores::allowed()?.confined(index.unwrap_or_default(), || {
            own_load::start_worker(cluster, node, self.worker, &arguments)
        })
    }

    /// Waits for a leader and a backup, the leader being this one or another; prints the
    /// story meanwhile.
    async fn wait_leader(
        &self,
        wanted: Option<(&str, bool)>,
        limit: Duration,
        story: &mut Option<Story>,
    ) -> Option<String> {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            sleep(CHECK_EVERY).await;
            let Some(view) = self.view().await else {
                continue;
            };
            for line in story.iter_mut().flat_map(|story| story.look(&view)) {
                self.print_line(Tone::Plain, &format!("  {line}"));
            }
            let leader = settled_leader(&view);
            let is_wanted = |leader: &String| match wanted {
                None => true,
                Some((node, is_it)) => (leader == node) == is_it,
            };
            if let Some(leader) = leader.filter(is_wanted) {
                return Some(leader);
            }
        }
        None
    }

    async fn view(&self) -> Option<RolesView> {
        let client = &self.session.connection.client;
        let answer = client.request(API_ROLES, "".into()).await.ok()?;
        wire::decode(Encoding::Json, &answer.payload).ok()
    }

    fn print_line(&self, tone: Tone, text: &str) {
        self.terminal.note(&self.terminal.notes.paint(tone, text));
    }
}

/// Returns the leader if every role has its holders and no change is under way.
fn settled_leader(view: &RolesView) -> Option<String> {
    let is_full = view.roles.iter().all(|(role, managed)| {
        let held = view.document.roles.get(role);
        held.is_some_and(|held| !held.is_empty() && *held == managed.acting)
    });
    let (_, managed) = view
        .roles
        .iter()
        .find(|(role, _)| role.as_str() == LEADER)?;
    let is_settled = is_full && view.document.changes.is_empty();
    managed
        .acting
        .first()
        .filter(|_| is_settled)
        .map(ToString::to_string)
}
