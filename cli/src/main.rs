//! The program `rolecast`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    rolecast_cli::start().await
}
