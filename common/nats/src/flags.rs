//! Flags of a service for its connection to NATS.

use std::time::Duration;

use clap::Args;
use rolecast_common::time::parse_duration;

use super::context::Settings;

/// Connection to NATS.
#[derive(Args, Clone, Debug)]
pub struct Flags {
    /// NATS servers, separated by commas, such as nats://host:4222; takes precedence over
    /// NATS_URL and the configuration
    #[arg(long, value_name = "URL")]
    pub nats_url: Option<String>,
    /// The nats context to use
    #[arg(long, value_name = "NAME")]
    pub nats_context: Option<String>,
    /// The longest time until the first connection to NATS
    #[arg(long, value_name = "LENGTH", default_value = "60s", value_parser = length)]
    pub connect_timeout: Duration,
}

impl Flags {
    /// Returns the settings of these flags.
    pub fn settings(&self) -> Settings {
        Settings {
            url: self.nats_url.clone(),
            context: self.nats_context.clone(),
            ..Settings::default()
        }
    }
}

fn length(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text).ok_or("expected a length of time, such as 60s")
}
