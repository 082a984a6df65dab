//! The rights as `rolecast permissions` prints them.

use std::process::Command;

use rolecast_common::rights::{Party, Place, rights};
use rolecast_tests::document::blocks;
use rolecast_tests::logins;
use rolecast_tests::process::program;
use rolecast_tests::server::binary;

/// Runs `rolecast permissions`.
fn permissions(line: &str) -> String {
    let output = Command::new(program("rolecast"))
        .arg("permissions")
        .args(line.split(' '))
        .output()
        .expect("it can be started");
    let text = String::from_utf8(output.stdout).expect("it writes text");
    assert!(output.status.success(), "{line}: {text}");
    text
}

#[test]
fn the_document_shows_what_the_command_prints() {
    let shown = &blocks("docs/protocol.md", "nats")[0];
    let line = "--dispatcher --node one --producer shout --operator --viewer";
    assert_eq!(permissions(line).trim_end(), shown.as_str());
    let text =
        std::fs::read_to_string(rolecast_tests::process::repository().join("docs/protocol.md"));
    assert!(
        text.unwrap()
            .contains(&format!("rolecast permissions {line}"))
    );
}

#[tokio::test]
async fn the_whole_configuration_is_one_that_a_server_takes() {
    let directory = rolecast_tests::directory::Directory::new();
    let text = permissions("--all --node n1 --node n2 --producer echo other");
    for user in [
        "dispatcher",
        "n1",
        "n2",
        "producer",
        "operator",
        "viewer",
        "admin",
    ] {
        assert!(text.contains(&format!("user: \"{user}\"")), "{user}");
    }
    // Without certificates the server does not start.
    let (before, rest) = text.split_once("tls {\n").unwrap();
    let (tls, after) = rest.split_once("}\n").unwrap();
    for file in ["cert_file", "key_file", "ca_file"] {
        assert!(tls.contains(file), "{tls}");
    }
    directory.write("nats.conf", &format!("{before}{}", logins::fill(after, "")));
    let path = directory.path().join("nats.conf");
    let output = Command::new(binary())
        .arg("-t")
        .arg("-c")
        .arg(path)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
}

#[test]
fn the_command_prints_json_and_nsc_with_every_right() {
    let text = permissions("--viewer --login eye --json");
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let place = Place::of("eye");
    let expected = rights(&Party::Viewer, &place);
    let login = &document["logins"][0];
    let count = |action: &str| login[action].as_array().unwrap().len();
    assert_eq!(count("publish") + count("subscribe"), expected.len());
    let nsc = permissions("--dispatcher --nsc");
    for right in rights(&Party::dispatcher(), &Place::of("dispatcher")) {
        assert!(nsc.contains(&format!("'{}'", right.subject)), "{right}");
    }
}
