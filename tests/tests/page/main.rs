//! The dispatcher's page in a real browser, with a real fleet behind it.
//!
//! Where there is no browser, each test prints that it is skipped.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "end-to-end tests live in a real environment; a skipped test is reported"
)]

mod browser;
mod lists;
mod others;

use std::time::Duration;

use rolecast_common::options::{HEADER_JOB_ID, HEADER_KEY};
use rolecast_common::wire::NodeHealth;
use rolecast_tests::cluster::Cluster;
use rolecast_tests::jobs::headers;
use rolecast_tests::wait::{wait_for, wait_until};

use browser::Browser;

/// A browser on a busy machine takes seconds to start.
const LIMIT: Duration = Duration::from_secs(60);

const DISPATCHER: &str = r#"
name = "main"
[http]
listen = "127.0.0.1:0"
[roles.leader]
holders = 1
[roles.follower]
[categories.lead]
roles = ["leader"]
[categories.echo]
max_attempts = 1
[categories.fail]
max_attempts = 1
[categories.slow]
[categories.nowhere]
[forecast]
step = "1s"
"#;

const WORKER: &str = r#"
roles = ["follower"]
offers = ["leader"]
usage_scope = "process"
max_jobs = 4
[labels]
zone = "ZONE"
[capacity]
cpu = 2
memory = "1GiB"
[categories.lead]
command = ["true"]
[categories.echo]
command = ["cat"]
[categories.fail]
command = ["sh", "-c", "echo '<script>alert(1)</script>' >&2; exit 64"]
[categories.slow]
command = ["sh", "-c", "echo '0.4 page 3 of <b>8</b>' >&$ROLECAST_PROGRESS_FD; exec sleep 600"]
"#;

const VIEWS: [&str; 9] = [
    "/",
    "/nodes",
    "/map",
    "/roles",
    "/categories",
    "/forecasts",
    "/decisions",
    "/keys",
    "/dispatchers",
];

/// A fleet with jobs of several ends, and the address of its page.
async fn fleet() -> (Cluster, String) {
    let zones = ["<b>a</b>", "b", "b"].map(|zone| WORKER.replace("ZONE", zone));
    let workers = [
        ("n1", zones[0].as_str()),
        ("n2", &zones[1]),
        ("n3", &zones[2]),
    ];
    let mut cluster = Cluster::start(DISPATCHER, &workers).await;
    let address = address(&mut cluster).await;
    for index in 0..12 {
        let job = format!("keyed-{index}");
        let headers = headers([(HEADER_JOB_ID, job.as_str()), (HEADER_KEY, "customer-7")]);
        cluster.submit_to("rolecast.jobs.echo", headers, "x").await;
    }
    cluster.submit("fail", "bad", "x").await;
    cluster.submit("slow", "long", "x").await;
    cluster.submit("nowhere", "stuck", "x").await;
    cluster.wait_record("bad").await;
    cluster.wait_record("keyed-11").await;
    (cluster, address)
}

/// Returns the page's address, which the dispatcher reports in its log.
async fn address(cluster: &mut Cluster) -> String {
    wait_for("the dispatcher reports its page", LIMIT, async || {
        let log = cluster.dispatcher().log();
        let (_, rest) = log.rsplit_once("http://127.0.0.1:")?;
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(format!("http://127.0.0.1:{port}"))
    })
    .await
}

async fn wait_text(browser: &Browser, part: &str) -> String {
    wait_for(&format!("{part:?} is on the page"), LIMIT, async || {
        let text = browser.text().await;
        text.contains(part).then_some(text)
    })
    .await
}

#[tokio::test]
async fn the_page_shows_the_fleet_and_follows_it_without_a_reload() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (mut cluster, address) = fleet().await;
    browser.prefer("light", 1280).await;
    browser.goto(&format!("{address}/")).await;
    let text = wait_text(&browser, "live").await;
    for part in [
        "main",
        "leads, epoch 1",
        "Backlog",
        "Nodes ready",
        "echo",
        "slow",
    ] {
        assert!(text.contains(part), "{part:?} not in {text}");
    }
    // The cause, and the next command.
    let text = wait_text(&browser, "no node runs nowhere").await;
    assert!(
        text.contains("[categories.nowhere] to a worker.toml"),
        "{text}"
    );
    assert!(text.contains("rolecast dead ls --category fail"), "{text}");
    // What the reader did stays while the page is renewed.
    browser
        .eval("window.mark = 7; document.querySelector('a[href=\"/roles\"]').focus()")
        .await;
    cluster.worker("n3").kill();
    cluster.wait_health("n3", NodeHealth::Gone).await;
    wait_text(&browser, "n3: gone").await;
    wait_text(&browser, "node n3 is gone").await;
    assert_eq!(
        browser.eval("window.mark").await,
        7,
        "the page was loaded again"
    );
    let focus = browser
        .eval("document.activeElement.getAttribute('href')")
        .await;
    assert_eq!(focus, "/roles");
    check_commands(&cluster, &browser).await;
    // The dispatcher goes: the page shows that it is not live any more, and that it is again.
    let port = address
        .rsplit(':')
        .next()
        .expect("an address has a port")
        .to_owned();
    cluster.dispatcher().kill();
    wait_text(&browser, "connection lost").await;
    let config = DISPATCHER.replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    std::fs::write(cluster.directory().join("rolecast.toml"), config).expect("it is writable");
    cluster.restart_dispatcher();
    wait_text(&browser, "leads, epoch 2").await;
    wait_text(&browser, "live").await;
    browser.quit().await;
}

/// Checks that each command that the page names is one that exists.
async fn check_commands(cluster: &Cluster, browser: &Browser) {
    let commands = browser
        .eval("[...document.querySelectorAll('.alarms code')].map(c => c.textContent)")
        .await;
    let commands = commands.as_array().cloned().unwrap_or_default();
    assert!(!commands.is_empty());
    for command in commands.iter().filter_map(|command| command.as_str()) {
        let Some(arguments) = command.strip_prefix("rolecast ") else {
            continue;
        };
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let (output, code) = cluster.rolecast(&arguments).await;
        assert_ne!(code, 2, "{command}: {output}");
    }
}

#[tokio::test]
async fn every_view_is_whole_quiet_and_fits_a_narrow_screen() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (cluster, address) = fleet().await;
    cluster.wait_decisions(3).await;
    for (path, parts) in [
        ("/nodes", vec!["n1", "n2", "n3", "ready", "follower"]),
        ("/nodes?q=zone%3Db&sort=name", vec!["2 of 3 nodes match"]),
        (
            "/node/n1",
            vec![
                "zone=<b>a</b>",
                "jobs in hand",
                "Forecasts against actual use",
            ],
        ),
        ("/map", vec!["75 % free and more", "follower"]),
        ("/map?by=zone", vec!["zone=<b>a</b>", "zone=b"]),
        ("/roles", vec!["leader", "too few holders", "Time line"]),
        (
            "/categories",
            vec!["nowhere", "Why jobs wait", "Needs of one job"],
        ),
        ("/forecasts", vec!["Coverage should be near 0.9"]),
        ("/decisions", vec!["was sent to"]),
        ("/keys", vec!["1 key in"]),
        ("/dispatchers", vec!["main leads", "heartbeats received"]),
    ] {
        browser.prefer("light", 1280).await;
        browser.goto(&format!("{address}{path}")).await;
        for part in parts {
            wait_text(&browser, part).await;
        }
        for width in [1280, 360] {
            browser.prefer("light", width).await;
            let overflow = browser
                .eval("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                .await;
            assert_eq!(overflow, 0, "{path} at {width}");
        }
        assert_eq!(browser.complaints().await, Vec::<String>::new(), "{path}");
    }
    // The browser's own pages have other schemes.
    let is_elsewhere = |url: &String| {
        url.contains("://") && !url.starts_with("chrome") && !url.starts_with(&address)
    };
    let elsewhere = browser.requests().await.into_iter().filter(is_elsewhere);
    let elsewhere: Vec<String> = elsewhere.collect();
    assert_eq!(elsewhere, Vec::<String>::new());
    browser.quit().await;
}

#[tokio::test]
async fn the_map_has_its_colours_and_dark_differs_from_light() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (mut cluster, address) = fleet().await;
    let room = [0xc9, 0xdc, 0xf0];
    let room_dark = [0x26, 0x3c, 0x55];
    browser.prefer("light", 1280).await;
    browser.goto(&format!("{address}/map")).await;
    let tiles = "document.querySelectorAll('.tiles a[href^=\"/node/\"]').length";
    wait_until("each node has a tile", LIMIT, async || {
        browser.eval(tiles).await == 3
    })
    .await;
    // The legend at least has all colours, whatever is expected of the nodes.
    wait_until("the colours are drawn", LIMIT, async || {
        browser.pixels().await.count(room) > 150
    })
    .await;
    let light = browser.pixels().await;
    assert!(
        light.width == 1280 && light.brightness() > 200,
        "{}",
        light.brightness()
    );
    cluster.worker("n2").kill();
    cluster.wait_health("n2", NodeHealth::Gone).await;
    let fill = "getComputedStyle(document.querySelector('.tiles .gone') || document.body).fill";
    wait_until("the tile of the gone node is crossed", LIMIT, async || {
        let fill = browser.eval(fill).await;
        fill.as_str().is_some_and(|fill| fill.contains("#crosses"))
    })
    .await;
    browser.prefer("dark", 1280).await;
    wait_until("the page is dark", LIMIT, async || {
        let dark = browser.pixels().await;
        dark.brightness() < 80 && dark.count(room_dark) > 150 && dark.count(room) < 50
    })
    .await;
    browser.quit().await;
}

#[tokio::test]
async fn it_is_read_without_a_script_and_used_without_a_mouse() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (_cluster, address) = fleet().await;
    browser.prefer("light", 1280).await;
    browser.goto(&format!("{address}/nodes")).await;
    // The first stop skips the navigation; then each entry of it is reached in order.
    let mut stops = Vec::new();
    for _ in 0..14 {
        for kind in ["keyDown", "keyUp"] {
            let key = serde_json::json!({"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9});
            browser.cdp("Input.dispatchKeyEvent", key).await;
        }
        let stop = browser
            .eval(
                "document.activeElement.getAttribute('href') || document.activeElement.name || ''",
            )
            .await;
        let outline = browser
            .eval("getComputedStyle(document.activeElement).outlineStyle")
            .await;
        assert_ne!(outline, "none", "no ring around {stop}");
        stops.push(stop.as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(stops[0], "#main");
    assert_eq!(&stops[2..11], VIEWS, "{stops:?}");
    assert!(stops.contains(&"q".to_owned()), "{stops:?}");
    browser
        .cdp(
            "Emulation.setScriptExecutionDisabled",
            serde_json::json!({"value": true}),
        )
        .await;
    for path in VIEWS {
        browser.goto(&format!("{address}{path}")).await;
        let source = browser.driver.source().await.expect("there is a source");
        assert!(
            source.contains("http-equiv=\"refresh\"") && source.contains("leads, epoch 1"),
            "{path}"
        );
    }
    browser.quit().await;
}
