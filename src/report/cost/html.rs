//! `lpcc report --format html`: one page that needs nothing else. Everything it shows lies in it as data; a small script
//! draws charts and tables from that, of which only the rows in view are in the document.

use bstr::{BStr, ByteSlice};
use serde_json::{Value, json};

use super::{Report, ShadowReport};
use crate::report::{bytes, demangle};
use crate::store::record::Cost;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
pub fn render(report: &Report) -> anyhow::Result<String> {
    let data = json!({
        "recording": report.recording,
        "units": report.units,
        "once": report.once,
        "because": super::json::because(report),
        "shadows": report.shadows.iter().map(shadow).collect::<Vec<_>>(),
        "troubles": report.troubles,
    });
    // Nothing in the data may end the element that it lies in.
    let data = serde_json::to_string(&data)?.replace('<', "\\u003c").replace('\u{2028}', "\\u2028");
    let title = escape(&format!("lpcc report: {}", report.recording));
    Ok(PAGE
        .replacen("{{title}}", &title, 1)
        .replacen("{{style}}", STYLE, 1)
        .replacen("{{script}}", SCRIPT, 1)
        .replacen("{{data}}", &data, 1))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Rows as arrays: sixty thousand functions with keys of their own would be twice the size. The script names the columns.
fn shadow(shadow: &ShadowReport) -> Value {
    let text = |text: &BStr| bytes::printable(text).into_owned();
    let took = |cost: &Cost| json!([cost.user + cost.system, cost.wall, cost.memory]);
    let objects: Vec<Value> = shadow
        .units
        .iter()
        .map(|unit| {
            let (a, b) = (unit.cost.a, unit.cost.b);
            json!([
                text(unit.object.as_bstr()),
                text(unit.source.as_bstr()),
                [a.functions, b.functions],
                [a.code, b.code],
                [a.data, b.data],
                unit.took.as_ref().map(|(a, b)| json!([took(a), took(b)])),
                unit.cost.data.len(),
            ])
        })
        .collect();
    let numbered = || shadow.units.iter().enumerate();
    let functions: Vec<Value> = numbered()
        .flat_map(|(index, unit)| {
            unit.cost.functions.iter().map(move |function| {
                let name = demangle::shown(function.symbol.as_bstr());
                json!([index, name, function.change.as_str(), function.a, function.b, function.detail])
            })
        })
        .collect();
    let noreturn: Vec<Value> = numbered()
        .flat_map(|(index, unit)| {
            let name = |name: &bstr::BString| demangle::shown(name.as_bstr()).into_owned();
            unit.cost
                .noreturn_lost
                .iter()
                .map(move |lost| json!([index, name(&lost.callee), name(&lost.caller), lost.offset]))
        })
        .collect();
    let losses: Vec<Value> =
        numbered()
            .flat_map(|(index, unit)| {
                let name = |name: &bstr::BString| demangle::shown(name.as_bstr()).into_owned();
                let clones =
                    unit.cost.clones_gone.iter().map(move |gone| {
                        json!([index, "clone gone", name(&gone.symbol), name(&gone.origin)])
                    });
                let lost =
                    unit.cost.inlining_lost.iter().map(move |lost| {
                        json!([index, "inlining lost", name(&lost.callee), name(&lost.caller)])
                    });
                let gained = unit.cost.inlining_gained.iter().map(move |lost| {
                    json!([index, "inlining gained", name(&lost.callee), name(&lost.caller)])
                });
                clones.chain(lost).chain(gained)
            })
            .collect();
    let failed: Vec<Value> =
        shadow.failed.iter().map(|(object, why)| json!([text(object.as_bstr()), why])).collect();
    json!({
        "name": shadow.name,
        "subject": shadow.subject.as_str(),
        "verdict": shadow.subject.verdict(),
        "a": shadow.a,
        "b": shadow.b,
        "objects": objects,
        "functions": functions,
        "noreturn": noreturn,
        "losses": losses,
        "failed": failed,
    })
}
