//! A real Chromium, driven by chromedriver: one for each test, with a profile of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rolecast_tests::directory::Directory;
use rolecast_tests::process::Process;
use rolecast_tests::wait::wait_for;
use serde_json::{Value, json};
use thirtyfour::LoggingPrefsLogLevel;
use thirtyfour::prelude::*;

const LIMIT: Duration = Duration::from_secs(60);

/// A browser; it ends with the test.
pub(crate) struct Browser {
    pub(crate) driver: WebDriver,
    _process: Process,
    _directory: Directory,
}

/// The pixels of a screenshot.
pub(crate) struct Pixels {
    pub(crate) width: u32,
    bytes: Vec<u8>,
    /// Bytes of a pixel.
    step: usize,
}

impl Pixels {
    pub(crate) fn all(&self) -> impl Iterator<Item = [u8; 3]> + '_ {
        let pixels = self.bytes.chunks_exact(self.step);
        pixels.map(|pixel| [pixel[0], pixel[1], pixel[2]])
    }

    /// Counts the pixels of a colour, give or take a little for smooth edges.
    pub(crate) fn count(&self, colour: [u8; 3]) -> usize {
        let is_near = |pixel: &[u8; 3]| pixel.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= 3);
        self.all().filter(is_near).count()
    }

    /// Returns the mean brightness, 0 to 255.
    pub(crate) fn brightness(&self) -> u64 {
        let sum: u64 = self.all().flatten().map(u64::from).sum();
        sum / u64::try_from(self.all().count() * 3)
            .expect("a picture is small")
            .max(1)
    }
}

/// Returns the browser and its driver, if this machine has them.
fn programs() -> Option<(PathBuf, PathBuf)> {
    let find = |names: &[&str]| {
        let path = std::env::var_os("PATH")?;
        let mut candidates = std::env::split_paths(&path)
            .flat_map(|directory| names.iter().map(move |name| directory.join(name)));
        candidates.find(|path| path.is_file())
    };
    Some((
        find(&["chromium", "chromium-browser", "google-chrome"])?,
        find(&["chromedriver"])?,
    ))
}

impl Browser {
    /// Starts one; `None`, with a printed line, where there is none.
    pub(crate) async fn start() -> Option<Browser> {
        let Some((browser, driver)) = programs() else {
            println!(
                "skipped: no chromium and chromedriver on PATH (Debian: apt-get install chromium chromium-driver)"
            );
            return None;
        };
        let directory = Directory::new();
        let process = Process::spawn("chromedriver", directory.path(), &driver, ["--port=0"]);
        let port = wait_for("chromedriver listens", LIMIT, async || {
            let log = process.log();
            let (_, rest) = log.split_once("started successfully on port ")?;
            rest.split('.').next()?.parse::<u16>().ok()
        });
        let port = port.await;
        let capabilities = capabilities(&browser, directory.path());
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities).await;
        let driver = driver.expect("the browser starts");
        Some(Browser {
            driver,
            _process: process,
            _directory: directory,
        })
    }

    pub(crate) async fn cdp(&self, method: &str, params: Value) -> Value {
        let sent = self.driver.cdp().send_raw(method, params).await;
        sent.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.driver.goto(url).await.expect("the page loads");
    }

    /// Sets the colours that the reader prefers, and the width of the window.
    pub(crate) async fn prefer(&self, scheme: &str, width: u32) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.cdp("Emulation.setEmulatedMedia", json!({"features": [feature]}))
            .await;
        let metrics =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.cdp("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// Evaluates an expression on the page.
    pub(crate) async fn eval(&self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true});
        let answer = self.cdp("Runtime.evaluate", params).await;
        assert!(
            answer.get("exceptionDetails").is_none(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// Returns the text that a reader sees.
    pub(crate) async fn text(&self) -> String {
        let text = self.eval("document.body.innerText").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn pixels(&self) -> Pixels {
        let bytes = self
            .driver
            .screenshot_as_png()
            .await
            .expect("a screenshot is made");
        let decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        let mut reader = decoder.read_info().expect("it is a PNG");
        let mut bytes = vec![0; reader.output_buffer_size().expect("it has a size")];
        let info = reader.next_frame(&mut bytes).expect("it is whole");
        let step = info.color_type.samples();
        assert!(step >= 3, "a screenshot has colours: {:?}", info.color_type);
        bytes.truncate(info.buffer_size());
        Pixels {
            width: info.width,
            bytes,
            step,
        }
    }

    /// Returns the errors and warnings in the console since the last call.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let entries = self.driver.browser_log().await.expect("there is a log");
        let entries = entries
            .into_iter()
            .filter(|entry| entry.level == "SEVERE" || entry.level == "WARNING");
        entries.map(|entry| entry.message).collect()
    }

    /// Returns the addresses that were requested since the last call.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let entries = self
            .driver
            .get_log("performance")
            .await
            .expect("there is a log");
        let messages = entries
            .iter()
            .filter_map(|entry| serde_json::from_str::<Value>(&entry.message).ok());
        let sent =
            messages.filter(|entry| entry["message"]["method"] == "Network.requestWillBeSent");
        let urls = sent.map(|entry| {
            entry["message"]["params"]["request"]["url"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        });
        urls.collect()
    }

    pub(crate) async fn quit(self) {
        let _ = self.driver.clone().quit().await;
    }
}

fn capabilities(browser: &Path, directory: &Path) -> thirtyfour::ChromeCapabilities {
    let mut capabilities = DesiredCapabilities::chrome();
    let profile = format!("--user-data-dir={}", directory.join("profile").display());
    let mut arguments = vec![
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        profile.as_str(),
    ];
    // Chromium refuses its sandbox to root.
    if nix::unistd::geteuid().is_root() {
        arguments.push("--no-sandbox");
    }
    for argument in arguments {
        capabilities.add_arg(argument).expect("it is an argument");
    }
    let path = browser.to_str().expect("the path is text");
    capabilities.set_binary(path).expect("it is a path");
    for log in ["browser", "performance"] {
        let level = LoggingPrefsLogLevel::All;
        capabilities
            .set_logging_prefs(log, level)
            .expect("it is a level");
    }
    capabilities
}
