//! Lists on the page: jobs in hand, events, and their renewal by the script.

use rolecast_common::wire::NodeHealth;
use rolecast_tests::cluster::Cluster;
use rolecast_tests::http::{get, port_of};
use rolecast_tests::server::Server;
use rolecast_tests::wait::wait_until;

use crate::browser::Browser;
use crate::{LIMIT, address, fleet, wait_text};

#[tokio::test]
async fn events_with_equal_links_stay_beside_each_other() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (mut cluster, address) = fleet().await;
    let port = port_of(cluster.dispatcher()).await;
    browser.goto(&format!("{address}/")).await;
    wait_text(&browser, "live").await;
    cluster.worker("n3").kill();
    cluster.wait_health("n3", NodeHealth::Gone).await;
    wait_text(&browser, "node n3 is gone").await;
    let event = "document.querySelectorAll('.events a[href=\"/node/n3\"]').length";
    let links = browser.eval(event).await;
    assert!(links.as_u64() > Some(0), "no link to n3");
    let what = "the live page has all that a new one has";
    wait_until(what, LIMIT, async || {
        let fresh = get(port, "/").await.map(|answer| answer.body);
        let fresh = fresh.map(|page| page.matches("<li id=\"e-").count());
        let shown = browser.eval("document.querySelectorAll('.events li').length");
        fresh > Some(2) && shown.await.as_u64() == fresh.map(|count| count as u64)
    })
    .await;
    browser.quit().await;
}

#[tokio::test]
async fn a_node_shows_the_progress_of_its_jobs() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (cluster, address) = fleet().await;
    let status = cluster
        .wait_status("the long job runs", |status| {
            status.nodes.iter().any(|node| node.jobs > 0)
        })
        .await;
    let node = status.nodes.into_iter().find(|node| node.jobs > 0);
    let node = node.expect("one has it").node;
    browser.prefer("light", 1280).await;
    browser.goto(&format!("{address}/node/{node}")).await;
    // Text of a job is text.
    wait_text(&browser, "40 % page 3 of <b>8</b>").await;
    let row = browser
        .eval("document.querySelector('.progress').closest('tr').innerText")
        .await;
    let row = row.as_str().unwrap_or_default();
    assert!(row.contains("long") && row.contains("slow"), "{row}");
    browser.quit().await;
}

#[tokio::test]
async fn a_renewed_list_is_the_new_one_whatever_it_was() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let config = "[http]\nlisten = \"127.0.0.1:0\"\n";
    let mut cluster = Cluster::on(Server::start().await, config).await;
    let address = address(&mut cluster).await;
    browser.goto(&format!("{address}/")).await;
    // Entries with ids, with links of which some are equal, and with neither.
    let differs = browser
        .eval(
            r#"(() => {
                let seed = 7;
                const below = (n) => (seed = (seed * 16807) % 2147483647) % n;
                const entry = () => {
                    const [kind, name, text] = [below(3), below(4), below(9)];
                    if (kind === 0) return `<li id="e${name}">${text}</li>`;
                    if (kind === 1) return `<li><a href="/node/n${name}">${text}</a></li>`;
                    return `<li><b>${text}</b></li>`;
                };
                const unique = (list) => list.filter((one, index) => {
                    const id = one.split('>')[0];
                    return !id.includes('id=') || list.findIndex((other) => other.startsWith(id)) === index;
                });
                const list = () => unique(Array.from({ length: below(6) }, entry)).join('');
                for (let round = 0; round < 2000; round++) {
                    const [old, fresh] = [document.createElement('ul'), document.createElement('ul')];
                    old.innerHTML = list();
                    fresh.innerHTML = list();
                    const before = old.innerHTML;
                    renew(old, fresh);
                    if (old.innerHTML !== fresh.innerHTML) return `${before} became ${old.innerHTML}, not ${fresh.innerHTML}`;
                }
                return '';
            })()"#,
        )
        .await;
    assert_eq!(differs, "");
    browser.quit().await;
}
