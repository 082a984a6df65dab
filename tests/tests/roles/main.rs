//! Managed roles in a real system: a leader is elected, follows orders, dies, and is
//! relieved when its host is overloaded by others.

#![allow(
    clippy::disallowed_methods,
    reason = "end-to-end tests live in real time and a real environment"
)]

mod relief;

use std::time::Duration;

use futures_util::StreamExt as _;
use rolecast_common::subjects::{API_ROLE_ORDER, API_ROLES};
use rolecast_common::wire::{
    self, Encoding, PastRoleChange, RoleChangeResult, RoleOrder, RoleOrderKind, RolesView, VERSION,
};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::proxy::Proxy;
use rolecast_tests::wait::{wait_for, wait_until};

const DISPATCHER: &str = r#"
[roles.leader]
holders = 1
from = "backup"
change_cost = "3s"
term = "15s"
[roles.backup]
holders = 1
[roles.follower]
[categories.lead]
roles = ["leader"]
[forecast]
step = "1s"
"#;

/// Each hook prints the roles it received, in one line.
const WORKER: &str = r#"
roles = ["follower"]
offers = ["leader", "backup"]
usage_scope = "process"
max_jobs = 4
on_role_change = ["sh", "-c", 'echo "$0 $1 > $2 at $(date +%s%N)" >> hooks.txt', "THIS"]
[capacity]
cpu = 0.2
memory = "4GiB"
[categories.lead]
command = ["sh", "-c", "echo $ROLECAST_NODE $ROLECAST_ROLES"]
"#;

fn worker(node: &str) -> String {
    WORKER.replace("THIS", node)
}

async fn start(nodes: &[&str]) -> Cluster {
    let configs: Vec<String> = nodes.iter().map(|node| worker(node)).collect();
    let workers: Vec<(&str, &str)> = nodes
        .iter()
        .zip(&configs)
        .map(|(node, config)| (*node, config.as_str()))
        .collect();
    Cluster::start(DISPATCHER, &workers).await
}

async fn view(cluster: &Cluster) -> Option<RolesView> {
    let asked = cluster.client().request(API_ROLES, "".into());
    let answer = tokio::time::timeout(Duration::from_secs(2), asked).await;
    wire::decode(Encoding::Json, &answer.ok()?.ok()?.payload).ok()
}

/// Waits until exactly this node acts in the role, and the document has it as holder.
async fn wait_holder(cluster: &Cluster, role: &str, node: &str) -> Duration {
    let what = format!("{node} holds {role}");
    wait_until(&what, LIMIT, async || {
        holder(cluster, role).await.as_deref() == Some(node)
    })
    .await
}

async fn holder(cluster: &Cluster, role: &str) -> Option<String> {
    let view = view(cluster).await?;
    let (_, managed) = view.roles.iter().find(|(name, _)| name.as_str() == role)?;
    let (_, held) = view
        .document
        .roles
        .iter()
        .find(|(name, _)| name.as_str() == role)?;
    let is_settled = view.document.changes.is_empty() && managed.acting == *held;
    match held.as_slice() {
        [node] if is_settled => Some(node.to_string()),
        _ => None,
    }
}

/// Waits until the group is at rest, and returns leader and backup.
async fn settled(cluster: &Cluster) -> (String, String) {
    wait_for("leader and backup are there", LIMIT, async || {
        Some((
            holder(cluster, "leader").await?,
            holder(cluster, "backup").await?,
        ))
    })
    .await
}

async fn order(cluster: &Cluster, order: RoleOrderKind) -> Result<(), String> {
    let order = RoleOrder { v: VERSION, order };
    let payload = wire::encode(Encoding::Json, &order);
    let asked = cluster.client().request(API_ROLE_ORDER, payload.into());
    let answer = tokio::time::timeout(LIMIT, asked).await;
    let answer = answer
        .expect("an order is answered")
        .expect("a dispatcher is there");
    match answer
        .headers
        .as_ref()
        .and_then(|headers| headers.get(wire::HEADER_ERROR))
    {
        Some(error) => Err(error.to_string()),
        None => Ok(()),
    }
}

fn hooks(cluster: &Cluster) -> String {
    std::fs::read_to_string(cluster.directory().join("hooks.txt")).unwrap_or_default()
}

async fn last_change(cluster: &Cluster) -> PastRoleChange {
    let view = view(cluster).await.expect("the roles are known");
    view.document
        .history
        .last()
        .expect("there was a change")
        .clone()
}

#[tokio::test]
async fn one_leader_is_elected_and_only_it_gets_the_jobs_of_a_leader() {
    let cluster = start(&["n1", "n2", "n3"]).await;
    let (leader, backup) = settled(&cluster).await;
    assert_ne!(leader, backup);
    for number in 0..5 {
        let job = format!("job-{number}");
        cluster.submit("lead", &job, "").await;
        let record = cluster.wait_record(&job).await;
        let output = String::from_utf8_lossy(&record.output.0).into_owned();
        assert_eq!(output.trim(), format!("{leader} follower,leader"));
    }
    let run = format!("{leader} follower > follower,leader at");
    assert!(hooks(&cluster).contains(&run), "{}", hooks(&cluster));
}

#[tokio::test]
async fn an_order_swaps_leader_and_backup_and_a_drained_node_holds_nothing() {
    let cluster = start(&["n1", "n2", "n3"]).await;
    let (leader, backup) = settled(&cluster).await;
    let swap = RoleOrderKind::Swap {
        role: "leader".parse().unwrap(),
        from: None,
        to: backup.parse().unwrap(),
    };
    order(&cluster, swap).await.unwrap();
    wait_holder(&cluster, "leader", &backup).await;
    wait_holder(&cluster, "backup", &leader).await;
    let node = || backup.parse().unwrap();
    order(&cluster, RoleOrderKind::Drain { node: node() })
        .await
        .unwrap();
    wait_holder(&cluster, "leader", &leader).await;
    let run = format!("{backup} follower,leader > follower at");
    wait_until("the drained node ran its hook", LIMIT, async || {
        hooks(&cluster).contains(&run)
    })
    .await;
    let set = RoleOrderKind::Set {
        role: "leader".parse().unwrap(),
        node: node(),
    };
    let refused = order(&cluster, set.clone()).await.unwrap_err();
    assert!(refused.contains("drained"), "{refused}");
    order(&cluster, RoleOrderKind::Undrain { node: node() })
        .await
        .unwrap();
    order(&cluster, set).await.unwrap();
    wait_holder(&cluster, "leader", &backup).await;
}

#[tokio::test]
async fn a_leader_that_dies_is_replaced_when_its_lease_is_over() {
    let mut cluster = start(&["n1", "n2", "n3"]).await;
    let (leader, backup) = settled(&cluster).await;
    cluster.worker(&leader).kill();
    let taken = wait_holder(&cluster, "leader", &backup).await;
    // A lease of 10 s, from the last heartbeat; then the promotion.
    assert!(
        taken > Duration::from_secs(8) && taken < Duration::from_secs(15),
        "{taken:?}"
    );
    let change = last_change(&cluster).await;
    assert_eq!(change.result, RoleChangeResult::Done);
}

#[tokio::test]
async fn a_hook_that_fails_or_hangs_leaves_the_role_where_it_was() {
    let mut cluster = start(&["n1", "n2"]).await;
    let (leader, backup) = settled(&cluster).await;
    let failing = worker(&backup).replace(
        "echo \"$0 $1 > $2 at $(date +%s%N)\" >> hooks.txt",
        "exec sleep 60",
    );
    let failing = failing.replace("on_role_change", "hook_limit = \"300ms\"\non_role_change");
    cluster.worker(&backup).kill();
    cluster.add_worker(&backup, &failing);
    wait_until("the restarted node is admitted", LIMIT, async || {
        cluster.dispatcher().log().contains("rebooted=true")
    })
    .await;
    wait_until("the restarted node is known", LIMIT, async || {
        let view = view(&cluster).await;
        view.is_some_and(|view| {
            let managed = view.roles.values().next();
            managed.is_some_and(|managed| managed.offered_by.len() == 2)
        })
    })
    .await;
    let swap = RoleOrderKind::Swap {
        role: "leader".parse().unwrap(),
        from: None,
        to: backup.parse().unwrap(),
    };
    let error = order(&cluster, swap).await.unwrap_err();
    assert!(error.contains("killed after 300 ms"), "{error}");
    wait_holder(&cluster, "leader", &leader).await;
}

#[tokio::test]
async fn a_leader_that_is_cut_off_is_no_leader_before_another_one_is() {
    let mut cluster = start(&["n2", "n3"]).await;
    let proxy = Proxy::start(cluster.server().port()).await;
    cluster.add_worker_as("n1", &worker("n1"), &proxy.url_as("n1"));
    cluster.wait_ready(&["n1"]).await;
    settled(&cluster).await;
    let set = RoleOrderKind::Set {
        role: "leader".parse().unwrap(),
        node: "n1".parse().unwrap(),
    };
    order(&cluster, set).await.unwrap();
    wait_holder(&cluster, "leader", "n1").await;
    proxy.cut(true);
    wait_until("another one leads", LIMIT, async || {
        holder(&cluster, "leader")
            .await
            .is_some_and(|node| node != "n1")
    })
    .await;
    let run = hooks(&cluster);
    let at = |what: &str| {
        let line = run.lines().rfind(|line| line.contains(what));
        let line = line.unwrap_or_else(|| panic!("{what:?} not in {run}"));
        line.rsplit(' ').next().unwrap().parse::<u128>().unwrap()
    };
    let (leader, _) = settled(&cluster).await;
    let lost = at("n1 follower,leader > follower");
    let won = at(&format!("{leader} follower"));
    assert!(lost < won, "{run}");
}

/// Kills the dispatcher after each step that a change stores, and starts it again.
#[tokio::test]
async fn a_change_is_finished_or_undone_wherever_its_dispatcher_dies() {
    let mut cluster = start(&["n1", "n2", "n3"]).await;
    for step in 1..=4_usize {
        swap(&cluster, step).await;
        cluster.restart_dispatcher();
        assert_whole(&cluster, step).await;
    }
}

/// The same with a standby, which continues the change.
#[tokio::test]
async fn a_standby_finishes_or_undoes_the_change_of_a_leader_that_dies() {
    let mut cluster = start(&["n1", "n2", "n3"]).await;
    let mut other = Some(cluster.second_dispatcher());
    for step in 1..=4_usize {
        let is_first = step % 2 == 1;
        wait_until("one stands by", LIMIT, async || {
            let standby = match &other {
                Some(other) if is_first => other,
                Some(_) | None => cluster.dispatcher(),
            };
            // Each start of a process adds to its log.
            standby.log().matches("standing_by").count() >= step.div_ceil(2)
        })
        .await;
        swap(&cluster, step).await;
        if is_first {
            cluster.dispatcher().kill();
        } else {
            drop(other.take());
        }
        assert_whole(&cluster, step).await;
        if is_first {
            cluster.restart_dispatcher();
        } else {
            other = Some(cluster.second_dispatcher());
        }
    }
}

/// Orders that leader and backup swap, and returns when this many steps are stored.
async fn swap(cluster: &Cluster, steps: usize) {
    let (_, backup) = settled(cluster).await;
    let client = cluster.client();
    let stores = client.subscribe("$KV.ROLECAST_ROLES.assignments").await;
    let mut stores = stores.expect("the server is there");
    let swap = RoleOrder {
        v: VERSION,
        order: RoleOrderKind::Swap {
            role: "leader".parse().expect("it is a role"),
            from: None,
            to: backup.parse().expect("it is a node"),
        },
    };
    let payload = wire::encode(Encoding::Json, &swap);
    let ordered = client.publish(API_ROLE_ORDER, payload.into()).await;
    ordered.expect("the server is there");
    for _ in 0..steps {
        let stored = tokio::time::timeout(LIMIT, stores.next()).await;
        stored.expect("the change goes on");
    }
}

async fn assert_whole(cluster: &Cluster, step: usize) {
    settled(cluster).await;
    let change = last_change_of(cluster, "leader").await;
    assert_ne!(
        change.result,
        RoleChangeResult::Vacated,
        "step {step}: {change:?}"
    );
}

async fn last_change_of(cluster: &Cluster, role: &str) -> PastRoleChange {
    let view = view(cluster).await.expect("the roles are known");
    let mut history = view.document.history.into_iter().rev();
    let found = history.find(|change| change.role.as_str() == role);
    found.expect("there was a change")
}
