//! `lpcc report --format json`: the schema `lpcc.report/1`, described in docs/json.md.

use bstr::ByteSlice;
use serde_json::{Map, Value, json};

use super::{Report, ShadowReport, Took, UnitReport};
use crate::analysis::cost::{Inlining, Size, Total, total};
use crate::report::{bytes, demangle};
use crate::store::record::Cost;

/// The whole document, with a newline at its end.
pub fn render(report: &Report) -> anyhow::Result<String> {
    let document = json!({
        "schema": "lpcc.report/1",
        "recording": report.recording,
        "units": report.units,
        "once": report.once,
        "once_because": because(report),
        "shadows": report.shadows.iter().map(shadow).collect::<Vec<_>>(),
        "troubles": report.troubles,
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// Why units have no shadow, or not all that were asked for.
pub fn because(report: &Report) -> Value {
    report.because.iter().map(|(why, units)| json!({"reason": why, "units": units})).collect()
}

fn shadow(shadow: &ShadowReport) -> Value {
    let list = total::directories(shadow.units.iter().map(|unit| (unit.object.as_bstr(), &unit.cost)));
    let directories: Vec<Value> = list
        .iter()
        .map(|directory| {
            let mut object = Map::new();
            bytes::put(&mut object, "directory", directory.path.as_bstr());
            object.insert("summary".into(), total_of(&directory.total));
            object.into()
        })
        .collect();
    let failed: Vec<Value> = shadow
        .failed
        .iter()
        .map(|(name, why)| {
            let mut object = Map::new();
            bytes::put(&mut object, "object", name.as_bstr());
            object.insert("reason".into(), why.clone().into());
            object.into()
        })
        .collect();
    let took = shadow.took().map(|(a, b)| json!({"a": took_of(a), "b": took_of(b)}));
    json!({
        "shadow": shadow.name,
        "subject": shadow.subject.as_str(),
        "a": shadow.a,
        "b": shadow.b,
        "summary": total_of(&shadow.total),
        "took": took,
        "directories": directories,
        "objects": shadow.units.iter().map(unit).collect::<Vec<_>>(),
        "failed": failed,
    })
}

fn total_of(total: &Total) -> Value {
    json!({
        "units": total.units,
        "differing": total.differing,
        "functions": {
            "a": total.functions, "b": total.functions_b, "changed": total.changed, "gone": total.gone,
            "new": total.new, "other": total.other,
        },
        "data": total.data,
        "code": {"a": total.code_a, "b": total.code_b},
        "data_size": {"a": total.data_a, "b": total.data_b},
        "clones_gone": total.clones_gone,
        "inlining_lost": total.inlining_lost,
        "inlining_gained": total.inlining_gained,
        "noreturn_lost": total.noreturn_lost,
    })
}

fn took_of(took: Took) -> Value {
    json!({"cpu_us": took.cpu, "wall_us": took.wall, "memory_kib": took.memory})
}

fn cost_of(cost: &Cost) -> Value {
    json!({"cpu_us": cost.user + cost.system, "wall_us": cost.wall, "memory_kib": cost.memory})
}

fn unit(unit: &UnitReport) -> Value {
    let cost = &unit.cost;
    let mut object = Map::new();
    bytes::put(&mut object, "object", unit.object.as_bstr());
    bytes::put(&mut object, "source", unit.source.as_bstr());
    for (key, size) in [("a", cost.a), ("b", cost.b)] {
        object.insert(key.into(), size_of(size));
    }
    let took = unit.took.as_ref().map(|(a, b)| json!({"a": cost_of(a), "b": cost_of(b)}));
    object.insert("took".into(), took.into());
    let functions = cost.functions.iter().map(|function| {
        let mut one = Map::new();
        bytes::put(&mut one, "symbol", function.symbol.as_bstr());
        let shown = demangle::shown(function.symbol.as_bstr());
        if shown.as_bytes() != function.symbol.as_slice() {
            one.insert("demangled".into(), shown.into());
        }
        one.insert("change".into(), function.change.as_str().into());
        one.insert("a".into(), function.a.into());
        one.insert("b".into(), function.b.into());
        one.insert("detail".into(), function.detail.clone().into());
        Value::from(one)
    });
    object.insert("functions".into(), functions.collect());
    let data = cost.data.iter().map(|(symbol, change)| {
        let mut one = Map::new();
        bytes::put(&mut one, "symbol", symbol.as_bstr());
        one.insert("change".into(), change.as_str().into());
        Value::from(one)
    });
    object.insert("data".into(), data.collect());
    let clones = cost.clones_gone.iter().map(|gone| {
        let mut one = Map::new();
        bytes::put(&mut one, "symbol", gone.symbol.as_bstr());
        bytes::put(&mut one, "origin", gone.origin.as_bstr());
        Value::from(one)
    });
    object.insert("clones_gone".into(), clones.collect());
    object.insert("inlining_lost".into(), inlining(&cost.inlining_lost));
    object.insert("inlining_gained".into(), inlining(&cost.inlining_gained));
    let noreturn = cost.noreturn_lost.iter().map(|lost| {
        let mut one = Map::new();
        bytes::put(&mut one, "callee", lost.callee.as_bstr());
        bytes::put(&mut one, "caller", lost.caller.as_bstr());
        one.insert("offset".into(), lost.offset.into());
        Value::from(one)
    });
    object.insert("noreturn_lost".into(), noreturn.collect());
    object.into()
}

fn size_of(size: Size) -> Value {
    json!({"functions": size.functions, "code": size.code, "data": size.data, "cold": size.cold})
}

fn inlining(list: &[Inlining]) -> Value {
    let one = |inlining: &Inlining| {
        let mut one = Map::new();
        bytes::put(&mut one, "caller", inlining.caller.as_bstr());
        bytes::put(&mut one, "callee", inlining.callee.as_bstr());
        Value::from(one)
    };
    list.iter().map(one).collect()
}
