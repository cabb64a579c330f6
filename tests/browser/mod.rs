//! A headless Chromium for tests, driven by ChromeDriver over its HTTP interface (W3C WebDriver).
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails to set up fails"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};

/// A browser with one window; both end when dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one; `None` where there is none.
    pub fn start(dark: bool) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self { driver, port, session: String::new(), profile };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut arguments = vec![
            "--headless".to_owned(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--disable-quic".into(),
            "--no-first-run".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--disable-sync".into(),
            "--window-size=1340,1000".into(),
            format!("--user-data-dir={}", browser.profile.path().display()),
        ];
        if dark {
            arguments.push("--force-dark-mode".into());
        }
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let answer = browser.ask("POST", "/session", &wanted);
        answer["sessionId"].as_str()?.clone_into(&mut browser.session);
        Some(browser)
    }

    /// Opens a file, with `state` in its address.
    pub fn open(&self, page: &Path, state: &str) {
        // By way of an empty page: only then is a page of which the state alone changes loaded anew.
        self.command("url", &json!({"url": "about:blank"}));
        self.command("url", &json!({"url": format!("file:{}#{state}", page.display())}));
    }

    /// Runs a script and gives what it returns.
    pub fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({"script": script, "args": []}))
    }

    /// The texts of all elements that a selector finds.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        let all = self.run(&format!(
            "return [...document.querySelectorAll({selector:?})].map(node => node.textContent)"
        ));
        all.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.command("element", &json!({"using": "css selector", "value": selector}));
        found.as_object().and_then(|one| one.values().next()).and_then(Value::as_str).unwrap().to_owned()
    }

    /// Clicks as a person does: the element must be in view.
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.command(&format!("element/{element}/click"), &json!({}));
    }

    /// Types into an element.
    pub fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.command(&format!("element/{element}/value"), &json!({"text": text}));
    }

    /// What the page complained of, on its console or by itself.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", &json!({"type": "browser"}));
        let entries = log.as_array().into_iter().flatten();
        let mut found: Vec<String> = entries.map(ToString::to_string).collect();
        found.extend(self.run("return document.documentElement.dataset.error").as_str().map(str::to_owned));
        found
    }

    /// What is seen, as PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        let shot = self.ask("GET", &format!("/session/{}/screenshot", self.session), &Value::Null);
        base64::engine::general_purpose::STANDARD.decode(shot.as_str().unwrap()).unwrap()
    }

    #[track_caller]
    fn command(&self, what: &str, body: &Value) -> Value {
        let answer = self.ask("POST", &format!("/session/{}/{what}", self.session), body);
        assert!(answer["error"].is_null(), "{what} {body}: {answer}");
        answer
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text).unwrap();
        let mut answer: Value = serde_json::from_slice(&text).unwrap();
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            self.ask("DELETE", &format!("/session/{}", self.session), &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
