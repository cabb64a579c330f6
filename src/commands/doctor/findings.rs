//! What the doctor says, before it becomes text or JSON.

use std::fmt::Write;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

/// How bad it is. The order is that of severity, and of exit statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// As it should be.
    Fine,
    /// Worth knowing.
    Note,
    /// Perhaps not as it should be.
    Check,
    /// Does not work.
    Trouble,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Check => "check",
            Self::Trouble => "trouble",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Fine => AnsiColor::Green.on_default(),
            Self::Note => AnsiColor::Cyan.on_default(),
            Self::Check => AnsiColor::Yellow.on_default(),
            Self::Trouble => AnsiColor::Red.on_default().bold(),
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone)]
struct Finding {
    topic: &'static str,
    level: Level,
    text: String,
    hint: Option<String>,
}

/// All of them, in the order in which they were looked at.
#[derive(Debug, Default)]
pub(super) struct Findings {
    all: Vec<Finding>,
}

impl Findings {
    /// Adds what was found about `topic`.
    pub(super) fn add(&mut self, topic: &'static str, level: Level, text: impl Into<String>) {
        self.all.push(Finding { topic, level, text: text.into(), hint: None });
    }

    /// Adds what was found, and what to do about it.
    pub(super) fn add_hint(
        &mut self,
        topic: &'static str,
        level: Level,
        text: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.all.push(Finding { topic, level, text: text.into(), hint: Some(hint.into()) });
    }

    fn worst(&self) -> Level {
        self.all.iter().map(|finding| finding.level).max().unwrap_or(Level::Fine)
    }

    /// 0 all well, 1 something to look at, 2 trouble.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.worst() {
            Level::Fine | Level::Note => 0,
            Level::Check => 1,
            Level::Trouble => 2,
        })
    }

    /// For a person: a heading for each topic, a line for each finding, the sum at the end.
    pub(super) fn text(&self) -> String {
        let bold = Style::new().bold();
        let mut text = String::new();
        let mut topic = "";
        for finding in &self.all {
            if finding.topic != topic {
                topic = finding.topic;
                let _ = writeln!(text, "{bold}{topic}{bold:#}");
            }
            let style = finding.level.style();
            let _ = writeln!(text, "  {style}{:7}{style:#} {}", finding.level.word(), finding.text);
            if let Some(hint) = &finding.hint {
                let _ = writeln!(text, "          hint: {hint}");
            }
        }
        let count = |level: Level| self.all.iter().filter(|finding| finding.level == level).count();
        let style = self.worst().style();
        let _ = match (count(Level::Trouble), count(Level::Check)) {
            (0, 0) => writeln!(text, "{style}all well{style:#}"),
            (0, checks) => writeln!(text, "{style}{checks} to look at{style:#}"),
            (troubles, 0) => writeln!(text, "{style}{troubles} in trouble{style:#}"),
            (troubles, checks) => {
                writeln!(text, "{style}{troubles} in trouble, {checks} to look at{style:#}")
            }
        };
        text
    }

    /// For a program.
    pub(super) fn json(&self) -> String {
        let row = |finding: &Finding| {
            json!({
                "topic": finding.topic, "level": finding.level.word(), "text": finding.text, "hint": finding.hint,
            })
        };
        let findings: Vec<Value> = self.all.iter().map(row).collect();
        format!(
            "{:#}\n",
            json!({"schema": "lpcc.doctor/1", "worst": self.worst().word(), "findings": findings})
        )
    }
}
