//! The page of a standby, and a page behind a token.

use rolecast_tests::cluster::Cluster;
use rolecast_tests::http::{ask, port_of};
use rolecast_tests::server::Server;
use rolecast_tests::wait::wait_until;

use crate::browser::Browser;
use crate::{DISPATCHER, LIMIT, VIEWS, address, fleet, wait_text};

const TOKEN: &str = "0123456789abcdef";

#[tokio::test]
async fn a_standby_names_the_leader_and_shows_the_rest_when_it_leads() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (mut cluster, leader) = fleet().await;
    let config = DISPATCHER.replace("name = \"main\"", "name = \"second\"");
    let file = cluster.directory().join("rolecast.toml");
    std::fs::write(file, config).expect("the test's directory is writable");
    let second = cluster.second_dispatcher();
    let standby = format!("http://127.0.0.1:{}", port_of(&second).await);
    browser.prefer("light", 1280).await;
    browser.goto(&format!("{standby}/")).await;
    wait_text(&browser, "stands by behind main").await;
    let listens = leader.trim_start_matches("http://");
    let text = wait_text(&browser, &format!("which listens on {listens}")).await;
    assert!(text.contains("on the page of main"), "{text}");
    wait_text(&browser, "dispatcher main leads in epoch 1").await;
    let events = browser
        .eval("[...document.querySelectorAll('.events a')].map(a => a.getAttribute('href'))")
        .await;
    let events = events.as_array().cloned().unwrap_or_default();
    assert!(events.contains(&"/node/n1".into()), "{events:?}");
    assert!(events.len() <= 10, "{events:?}");
    for path in VIEWS.into_iter().chain(["/node/n1"]) {
        browser.goto(&format!("{standby}{path}")).await;
        wait_text(&browser, "stands by behind main").await;
        wait_text(&browser, "live").await;
        assert_eq!(browser.complaints().await, Vec::<String>::new(), "{path}");
    }
    wait_text(&browser, "Jobs are known to the leading dispatcher only").await;
    browser.goto(&format!("{standby}/dispatchers")).await;
    wait_until("both dispatchers are listed", LIMIT, async || {
        let rows = browser
            .eval("[...document.querySelectorAll('tbody tr')].map(row => row.innerText).join('|')")
            .await;
        let rows = rows.as_str().unwrap_or_default().to_owned();
        let is_listed = |name: &str, state: &str| {
            let mut rows = rows.split('|');
            rows.any(|row| row.starts_with(name) && row.contains(state))
        };
        is_listed("main", "leads") && is_listed("second", "stands by")
    })
    .await;
    browser.eval("window.mark = 7").await;
    cluster.dispatcher().kill();
    let text = wait_text(&browser, "leads, epoch 2").await;
    assert!(!text.contains("This dispatcher stands by"), "{text}");
    assert_eq!(browser.eval("window.mark").await, 7, "it was loaded again");
    browser.quit().await;
}

#[tokio::test]
async fn a_page_behind_a_token_is_live_for_those_who_show_it() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    server.directory().write("token", &format!("{TOKEN}\n"));
    let config = DISPATCHER.replace("[http]\n", "[http]\ntoken_file = \"token\"\n");
    let mut cluster = Cluster::on(server, &config).await;
    let address = address(&mut cluster).await;
    let refusal = "show the token of [http]: as Bearer, or as the password of any user";
    browser.prefer("light", 1280).await;
    // Without a reader who answers it, the browser's question for a password ends on a page
    // of its own.
    let wrong = address.replace("http://", "http://ops:wrong@");
    for address in [&address, &wrong] {
        browser.goto(&format!("{address}/")).await;
        let text = browser.text().await;
        assert!(!text.contains("Overview"), "{text}");
    }
    let port = port_of(cluster.dispatcher()).await;
    for path in ["/", "/live?of=/", "/page.css"] {
        let wrong = "Authorization: Bearer 0123456789abcdee\r\n";
        let refused = ask(port, "GET", path, wrong).await.expect("it answers");
        assert_eq!(refused.code, 401, "{path}");
        assert!(refused.body.contains(refusal), "{}", refused.body);
    }
    // As a reader who types the token as a password.
    let shown = address.replace("http://", &format!("http://ops:{TOKEN}@"));
    browser.goto(&format!("{shown}/")).await;
    wait_text(&browser, "leads, epoch 1").await;
    // The browser keeps it, for the stream of updates and for other views.
    browser.goto(&format!("{address}/nodes")).await;
    wait_text(&browser, "live").await;
    let errors: Vec<String> = browser.complaints().await;
    let expected = |error: &String| error.contains("401");
    assert!(errors.iter().all(expected), "{errors:?}");
    let before = browser
        .eval("document.querySelector('main').dataset.at")
        .await;
    wait_until("it is renewed", LIMIT, async || {
        browser
            .eval("document.querySelector('main').dataset.at")
            .await
            != before
    })
    .await;
    browser.quit().await;
}
