//! The page of `lpcc report --format html`, in a real browser: it opens without an error, needs no network, its tables sort and
//! filter, the view is kept in its address, and sixty thousand functions open like sixty.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails to set up fails")]

mod browser;
mod kit;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use browser::Browser;
use kit::{Place, run};
use lpcc::analysis::Change;
use lpcc::analysis::cost::{CloneGone, Function, Inlining, NoreturnLost, Size, Total, UnitCost};
use lpcc::report::cost::{Report, ShadowReport, Subject, UnitReport, html};

/// A report of so many units with so many differing functions each; names and numbers are made from the indices.
fn made_up(units: usize, functions: usize) -> Report {
    let unit = |n: usize| {
        let function = |m: usize| Function {
            symbol: format!("function_{n}_{m}").into(),
            change: [Change::Changed, Change::New, Change::Removed, Change::Changed][m % 4],
            a: if m % 4 == 1 { 0 } else { (40 + (n * 31 + m * 17) % 900) as u64 },
            b: if m % 4 == 2 { 0 } else { (40 + (n * 13 + m * 29) % 900) as u64 },
            detail: "code  at +0x4: </script><b>mov & push".into(),
        };
        let size = |by: usize| Size {
            functions: functions * 2,
            code: (functions * (300 + by)) as u64,
            data: 64,
            cold: 0,
        };
        UnitReport {
            object: format!("dir{}/unit{n}.o", n % 7).into(),
            source: format!("src/unit{n}.c").into(),
            cost: UnitCost {
                a: size(n % 5),
                b: size(n % 7),
                functions: (0..functions).map(function).collect(),
                data: Vec::new(),
                clones_gone: vec![CloneGone { symbol: "f.isra.0".into(), origin: "f".into() }],
                inlining_lost: vec![Inlining { caller: "g".into(), callee: "f".into() }],
                inlining_gained: Vec::new(),
                noreturn_lost: vec![NoreturnLost {
                    callee: "die".into(),
                    caller: "g".into(),
                    offset: Some(4),
                }],
            },
            took: None,
        }
    };
    let units: Vec<_> = (0..units).map(unit).collect();
    let mut total = Total::default();
    for unit in &units {
        total.add(&unit.cost);
    }
    let shadow = ShadowReport {
        name: "toggle-live-patching".into(),
        subject: Subject::LivePatching,
        a: "without".into(),
        b: "with -flive-patching=inline-clone".into(),
        failed: vec![("x.o".into(), "it <failed>".into())],
        total,
        units,
    };
    Report {
        recording: "'made up </title>'".into(),
        units: 2,
        once: 0,
        because: vec![("neither C nor C++".to_owned(), 3)],
        shadows: vec![shadow],
        troubles: Vec::new(),
    }
}

/// The page of a real build of two units, with all kinds of shadows.
fn real_page(place: &Place) -> std::path::PathBuf {
    for name in ["one", "two"] {
        let mut text = String::from("static int sq(int a) { return a * a; }\n");
        for n in 0..40 {
            let other = if n > 0 { format!("+ {name}{}(a)", n - 1) } else { String::new() };
            writeln!(text, "int {name}{n}(int a) {{ return sq(a + {n}) {other}; }}").unwrap();
        }
        place.write(format!("{name}.c"), &text);
        let mut lpcc = place.lpcc();
        lpcc.args(["gcc-12", "-O2", "-c", &format!("{name}.c")]);
        assert!(
            run(lpcc.env("LPCC_TWICE", "toggle-live-patching=inline-only-static,same,lines"), None)
                .status
                .success()
        );
    }
    let page = place.beside("page.html");
    let output = run(place.lpcc().args(["report", "--format", "html", "-o"]).arg(&page), None);
    assert!(output.status.success() && output.stdout.is_empty());
    page
}

fn numbers(texts: &[String]) -> Vec<i64> {
    let plain = |text: &String| text.replace(['+', ','], "").replace('\u{2212}', "-").parse().unwrap();
    texts.iter().map(plain).collect()
}

#[test]
fn the_page_works() {
    let Some(browser) = Browser::start(false) else { return kit::skip("no chromedriver") };
    let place = Place::new();
    let page = real_page(&place);
    browser.open(&page, "");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    assert_eq!(browser.texts("nav button"), ["toggle-live-patching=inline-only-static", "same", "lines"]);
    assert!(
        browser.texts("h1")[0].starts_with("-flive-patching=inline-only-static changes"),
        "{:?}",
        browser.texts("h1")
    );
    let all = browser.texts("#functions-rows td:first-child");
    assert!(all.len() > 20, "{all:?}");

    // Sorting: the largest growth first, then by name, then the other way round.
    let growth = numbers(&browser.texts("#functions-rows tr:not(.gap) td:nth-child(6)"));
    assert!(growth.is_sorted_by_key(|grown| -grown.abs()), "{growth:?}");
    browser.click("#functions th[data-key=function]");
    let names = browser.texts("#functions-rows tr:not(.gap) td:first-child");
    assert!(names.is_sorted(), "{names:?}");
    browser.click("#functions th[data-key=function]");
    let names = browser.texts("#functions-rows tr:not(.gap) td:first-child");
    assert!(names.is_sorted_by(|one, next| one >= next), "{names:?}");

    // Filtering, by words and by kind; the view is in the address, and comes back from there.
    browser.type_into("#functions-filter", "two3 two.o");
    let names = browser.texts("#functions-rows tr:not(.gap) td:first-child");
    assert!(!names.is_empty() && names.iter().all(|name| name.contains("two3")), "{names:?}");
    let address = browser.run("return location.hash").as_str().unwrap().to_owned();
    browser.open(&page, address.trim_start_matches('#'));
    assert_eq!(browser.texts("#functions-rows tr:not(.gap) td:first-child"), names);

    browser.click("nav button[data-shadow=same]");
    assert!(browser.texts("h1")[0].contains("came out alike"), "{:?}", browser.texts("h1"));
    browser.click("#theme");
    assert_eq!(browser.run("return document.documentElement.dataset.theme"), "dark");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    assert!(browser.screenshot().len() > 10_000);
}

#[test]
fn sixty_thousand_functions() {
    let Some(browser) = Browser::start(true) else { return kit::skip("no chromedriver") };
    let place = Place::new();
    let page = place.beside("page.html");
    let text = html::render(&made_up(1200, 50)).unwrap();
    assert!(text.len() < 12 << 20, "{} bytes", text.len());
    std::fs::write(&page, text).unwrap();
    let began = Instant::now();
    browser.open(&page, "");
    let opened = began.elapsed();
    assert_eq!(browser.complaints(), Vec::<String>::new());
    assert_eq!(browser.texts("#functions-count"), ["60,000 rows"]);
    assert!(opened < Duration::from_secs(20), "{opened:?}");
    let rows = browser.run("return document.getElementsByTagName('tr').length").as_u64().unwrap();
    assert!(rows < 400, "{rows} rows in the document");
    let began = Instant::now();
    browser.type_into("#functions-filter", "unit77.o");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(browser.texts("#functions-count"), ["50 of 60,000 rows"]);
    // Far down, the rows there are in the document.
    browser.run("document.getElementById('functions-filter').value = ''; document.getElementById('functions-filter').dispatchEvent(new Event('input'))");
    browser.click("#functions th[data-key=function]");
    browser.run("document.querySelector('#functions').parentElement.scrollTop = 30 * 59990");
    std::thread::sleep(Duration::from_millis(300));
    let last = browser.texts("#functions-rows tr:not(.gap) td:first-child");
    assert_eq!(last.last().map(String::as_str), Some("function_9_9"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Nothing of the data is taken for markup, and nothing is fetched.
#[test]
fn the_page_is_whole_and_safe() {
    let text = html::render(&made_up(2, 3)).unwrap();
    assert_eq!(text.matches("</script>").count(), 2);
    assert!(!text.contains("<b>mov") && !text.contains("made up </title>"));
    for outside in ["src=", "href=", "@import", "url(", "fetch(", "XMLHttpRequest"] {
        assert!(!text.contains(outside), "{outside}");
    }
    assert!(text.contains("default-src 'none'"));
    assert!(!text.contains("{{"));
}
