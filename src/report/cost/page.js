"use strict";
// The page draws itself from the data that lies in it. What is shown (shadow, sorting, filter) is kept in the address, so
// that a view can be sent to somebody. Tables hold the rows in view and nothing more: sixty thousand open like six.
(() => {
  const root = document.documentElement;
  addEventListener("error", (event) => { root.dataset.error = event.message; });
  const data = JSON.parse(document.getElementById("data").textContent);
  const main = document.getElementById("main");
  const template = document.createElement("template");
  template.innerHTML = "<svg></svg>";
  const SVG = template.content.firstChild.namespaceURI;
  const ROW = 30; // pixels, as in the style sheet
  const COLOURS = { changed: "var(--changed)", new: "var(--new)", removed: "var(--gone)", other: "var(--other)", same: "var(--same)" };
  const WORDS = { changed: "changed", new: "new", removed: "gone", other: "otherwise", same: "alike" };

  /* Building blocks */

  function make(name, attributes, ...children) {
    const svg = ["svg", "g", "rect", "text", "line", "circle", "title", "path"].includes(name);
    const node = svg ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "on") for (const [type, act] of Object.entries(value)) node.addEventListener(type, act);
      else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }
  const number = (value) => value.toLocaleString("en-US");
  const signed = (value) => (value > 0 ? "+" : value < 0 ? "\u2212" : "") + number(Math.abs(value));
  const percent = (part, whole, digits = 1) => (whole ? ((100 * part) / whole).toFixed(digits) + "\u2009%" : "");
  function growth(a, b, digits = 2) {
    if (!a) return "";
    const value = (b / a - 1) * 100;
    return (value > 0 ? "+" : value < 0 ? "\u2212" : "\u00b1") + Math.abs(value).toFixed(digits) + "\u2009%";
  }
  function duration(micros) {
    if (micros < 1e4) return (micros / 1e3).toFixed(1) + "\u2009ms";
    if (micros < 1e7) return Math.round(micros / 1e3) + "\u2009ms";
    if (micros < 6e8) return (micros / 1e6).toFixed(1) + "\u2009s";
    return Math.floor(micros / 6e7) + "\u2009min " + Math.round((micros % 6e7) / 1e6) + "\u2009s";
  }
  function bytes(value) {
    const size = Math.abs(value);
    if (size < 10000) return number(value) + "\u2009B";
    if (size < 1e7) return (value / 1e3).toFixed(1) + "\u2009kB";
    return (value / 1e6).toFixed(1) + "\u2009MB";
  }
  const plural = (count, word) => number(count) + " " + word + (count === 1 ? "" : "s");
  const kind = (change) => (WORDS[change] && change !== "same" ? change : "other");

  /* What is shown, kept in the address */

  const state = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  function remember(key, value) {
    if (value === "" || value === null || value === undefined) delete state[key];
    else state[key] = value;
    history.replaceState(null, "", "#" + new URLSearchParams(state));
  }

  /* Sums */

  function sum(shadow) {
    const total = { functions: 0, code: [0, 0], data: [0, 0], took: null, changed: 0, new: 0, removed: 0, other: 0, dataDiffer: 0 };
    shadow.per = shadow.objects.map(() => ({ changed: 0, new: 0, removed: 0, other: 0 }));
    for (const object of shadow.objects) {
      total.functions += object[2][0];
      for (const side of [0, 1]) { total.code[side] += object[3][side]; total.data[side] += object[4][side]; }
      total.dataDiffer += object[6];
      if (object[5]) {
        total.took = total.took || [[0, 0, 0], [0, 0, 0]];
        for (const side of [0, 1]) {
          total.took[side][0] += object[5][side][0];
          total.took[side][1] += object[5][side][1];
          total.took[side][2] = Math.max(total.took[side][2], object[5][side][2]);
        }
      }
    }
    for (const row of shadow.functions) { const what = kind(row[2]); total[what] += 1; shadow.per[row[0]][what] += 1; }
    total.touched = total.changed + total.new + total.removed + total.other;
    total.clones = shadow.losses.filter((row) => row[1] === "clone gone").length;
    total.inlining = shadow.losses.filter((row) => row[1] === "inlining lost").length;
    return total;
  }

  /* Parts of the page */

  function tile(name, value, more, options = {}) {
    const spark = options.spark && make("div", { class: "spark", "aria-hidden": "true" },
      ...options.spark.filter(([share]) => share > 0).map(([share, colour]) => make("span", { style: `flex:${share} 0 ${share && colour !== COLOURS.same ? 2 : 0}px;background:${colour}` })));
    return make("div", { class: "card tile" + (options.warn ? " warn" : "") }, make("div", { class: "name" }, name),
      make("div", { class: "value" }, ...[].concat(value)), spark, make("div", { class: "more" }, more || "\u00a0"));
  }

  function tiles(shadow, total) {
    const list = [];
    const same = Math.max(0, total.functions - total.changed - total.removed - total.other);
    list.push(tile("Functions differ", [number(total.touched), make("small", {}, " of " + number(total.functions))],
      `${number(total.changed)} changed, ${number(total.removed)} gone, ${number(total.new)} new`,
      { spark: [[total.changed, COLOURS.changed], [total.removed, COLOURS.removed], [total.new, COLOURS.new], [total.other, COLOURS.other], [same, COLOURS.same]] }));
    list.push(tile("Code size", growth(total.code[0], total.code[1]), `${bytes(total.code[0])} \u2192 ${bytes(total.code[1])}`));
    if (total.took) {
      const [a, b] = total.took;
      list.push(tile("Compile time", growth(a[0], b[0], 1), `${duration(a[0])} \u2192 ${duration(b[0])} CPU`));
      list.push(tile("Peak memory", growth(a[2], b[2], 1), `${Math.round(a[2] / 1024)}\u2009MB \u2192 ${Math.round(b[2] / 1024)}\u2009MB`));
    }
    if (shadow.subject === "live-patching" || shadow.subject === "other") {
      list.push(tile("Inlining lost", number(total.inlining), plural(total.clones, "clone") + " gone"));
      const callees = new Set(shadow.noreturn.map((row) => row[0] + "/" + row[1])).size;
      list.push(tile("Noreturn lost", number(shadow.noreturn.length), callees ? `in ${plural(callees, "function")} to be marked` : "every call ends as before", { warn: callees > 0 }));
    }
    return make("section", { class: "tiles" }, ...list);
  }

  function noreturn(shadow) {
    if (!shadow.noreturn.length) return null;
    const callees = new Map();
    for (const [object, callee, caller, offset] of shadow.noreturn) {
      const key = shadow.objects[object][1] + "\0" + callee;
      if (!callees.has(key)) callees.set(key, { callee, source: shadow.objects[object][1], callers: [] });
      callees.get(key).callers.push(caller + (offset === null ? "" : "+0x" + offset.toString(16)));
    }
    const all = [...callees.values()];
    const items = all.slice(0, 200).map((one) => make("li", {}, make("code", {}, "__noreturn " + one.callee), make("span", { class: "soft" }, "  " + one.source),
      make("div", { class: "callers" }, "code goes on after the call in " + one.callers.slice(0, 4).join(", ") + (one.callers.length > 4 ? ` and ${one.callers.length - 4} more` : ""))));
    return make("section", { class: "card alert", id: "noreturn" }, make("h2", {}, "Implicit noreturn lost"),
      make("div", { class: "note" }, "A ends at these calls, because the compiler had found out that they never return; B goes on with code that nothing reaches (objtool: \u201cunreachable instruction\u201d). Marked in the source, both know."),
      make("ul", {}, ...items), all.length > 200 ? make("div", { class: "note" }, `and ${all.length - 200} more`) : null);
  }

  function grouped(shadow, by) {
    const groups = new Map();
    shadow.objects.forEach((object, index) => {
      const slash = object[0].lastIndexOf("/");
      const name = by === "object" ? object[0] : slash < 0 ? "." : object[0].slice(0, slash);
      const group = groups.get(name) || { name, functions: 0, changed: 0, new: 0, removed: 0, other: 0, code: [0, 0], units: 0 };
      group.functions += object[2][0];
      group.units += 1;
      for (const side of [0, 1]) group.code[side] += object[3][side];
      for (const what of ["changed", "new", "removed", "other"]) group[what] += shadow.per[index][what];
      groups.set(name, group);
    });
    for (const group of groups.values()) {
      group.touched = group.changed + group.new + group.removed + group.other;
      group.grown = group.code[1] - group.code[0];
    }
    return [...groups.values()];
  }

  const shortened = (text, length) => (text.length <= length ? text : "\u2026" + text.slice(text.length - length + 1));

  function bars(groups, pick) {
    const top = groups.filter((group) => group.touched > 0).sort((a, b) => b.touched - a.touched || (a.name < b.name ? -1 : 1)).slice(0, 14);
    if (!top.length) return make("div", { class: "empty" }, "Nothing differs.");
    const width = 560, left = 178, right = 58, step = 25;
    const most = Math.max(...top.map((group) => group.touched));
    const scale = (width - left - right) / most;
    const svg = make("svg", { viewBox: `0 0 ${width} ${top.length * step}`, role: "img", "aria-label": "functions that differ" });
    top.forEach((group, index) => {
      const y = index * step;
      const row = make("g", { class: "row", on: { click: () => pick(group.name) } }, make("title", {}, `${group.name}: ${group.touched} of ${group.functions} functions differ`),
        make("rect", { class: "hit", x: 0, y: y + 1, width, height: step - 2, rx: 5 }),
        make("text", { class: "label", x: left - 10, y: y + 17, "text-anchor": "end" }, shortened(group.name, 25)));
      let x = left;
      for (const what of ["changed", "removed", "new", "other"]) {
        if (!group[what]) continue;
        const length = Math.max(2, group[what] * scale);
        row.append(make("rect", { x, y: y + 6, width: length, height: step - 12, rx: 2.5, fill: COLOURS[what] }));
        x += length + 1.5;
      }
      row.append(make("text", { x: x + 6, y: y + 17 }, `${group.touched} \u00b7 ${percent(group.touched, group.functions, 0)}`));
      svg.append(row);
    });
    const left_out = groups.filter((group) => group.touched > 0).length - top.length;
    return make("div", {}, svg, legend(["changed", "removed", "new"].concat(top.some((group) => group.other) ? ["other"] : []), left_out));
  }

  function legend(kinds, more) {
    return make("div", { class: "legend" }, ...kinds.map((what) => make("span", {}, make("i", { style: "background:" + COLOURS[what] }), WORDS[what])),
      more > 0 ? make("span", {}, `and ${number(more)} more in the table`) : null);
  }

  function growths(groups, pick) {
    const top = groups.filter((group) => group.grown).sort((a, b) => Math.abs(b.grown) - Math.abs(a.grown)).slice(0, 14);
    if (!top.length) return make("div", { class: "empty" }, "No code grew or shrank.");
    top.sort((a, b) => b.grown - a.grown);
    const width = 560, left = 178, step = 25, room = 64;
    const most = Math.max(...top.map((group) => Math.abs(group.grown)));
    const grow = Math.max(0, ...top.map((group) => group.grown)), shrink = Math.max(0, ...top.map((group) => -group.grown));
    const span = width - left - room * ((grow > 0) + (shrink > 0));
    const scale = span / Math.max(most, grow + shrink);
    const zero = left + (shrink > 0 ? room + shrink * scale : 0);
    const svg = make("svg", { viewBox: `0 0 ${width} ${top.length * step}`, role: "img", "aria-label": "growth of code" });
    svg.append(make("line", { class: "axis", x1: zero, x2: zero, y1: 0, y2: top.length * step }));
    top.forEach((group, index) => {
      const y = index * step, length = Math.max(1.5, Math.abs(group.grown) * scale), up = group.grown > 0;
      svg.append(make("g", { class: "row", on: { click: () => pick(group.name) } }, make("title", {}, `${group.name}: ${number(group.code[0])} \u2192 ${number(group.code[1])} bytes`),
        make("rect", { class: "hit", x: 0, y: y + 1, width, height: step - 2, rx: 5 }),
        make("text", { class: "label", x: left - 10, y: y + 17, "text-anchor": "end" }, shortened(group.name, 25)),
        make("rect", { x: up ? zero : zero - length, y: y + 6, width: length, height: step - 12, rx: 2.5, fill: up ? "var(--gone)" : "var(--new)" }),
        make("text", up ? { x: zero + length + 6, y: y + 17 } : { x: zero - length - 6, y: y + 17, "text-anchor": "end" }, signed(group.grown))));
    });
    return make("div", {}, svg, make("div", { class: "legend" }, make("span", {}, make("i", { style: "background:var(--gone)" }), "bytes more in B"), make("span", {}, make("i", { style: "background:var(--new)" }), "bytes less in B")));
  }

  function times(shadow) {
    const units = shadow.objects.filter((object) => object[5] && object[5][0][0] > 0 && object[5][1][0] > 0);
    if (units.length < 2) return null;
    const width = 560, height = 300, left = 56, bottom = 34, top = 8, right = 12;
    const values = units.flatMap((object) => [object[5][0][0], object[5][1][0]]);
    const low = Math.log10(Math.min(...values)) - 0.06, high = Math.log10(Math.max(...values)) + 0.06;
    const x = (value) => left + ((Math.log10(value) - low) / (high - low)) * (width - left - right);
    const y = (value) => height - bottom - ((Math.log10(value) - low) / (high - low)) * (height - top - bottom);
    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "compile time of A and B" });
    for (let decade = Math.floor(low); decade <= high; decade += 1) {
      for (const step of [1, 2, 5]) {
        const value = step * 10 ** decade;
        if (Math.log10(value) < low || Math.log10(value) > high) continue;
        svg.append(make("line", { class: "axis", x1: x(value), x2: x(value), y1: top, y2: height - bottom }), make("line", { class: "axis", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
          make("text", { x: x(value), y: height - bottom + 16, "text-anchor": "middle" }, duration(value)), make("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, duration(value)));
      }
    }
    svg.append(make("line", { x1: x(10 ** low), y1: y(10 ** low), x2: x(10 ** high), y2: y(10 ** high), stroke: "var(--faint)", "stroke-dasharray": "4 4" }));
    const shown = units.length > 4000 ? units.slice().sort((a, b) => b[5][0][0] - a[5][0][0]).slice(0, 4000) : units;
    for (const object of shown) {
      const [a, b] = object[5];
      svg.append(make("circle", { cx: x(a[0]), cy: y(b[0]), r: units.length > 500 ? 2.5 : 4.5, fill: "var(--accent)", "fill-opacity": 0.55 }, make("title", {}, `${object[0]}: ${duration(a[0])} \u2192 ${duration(b[0])}`)));
    }
    svg.append(make("text", { x: width - right, y: height - 2, "text-anchor": "end" }, "A"), make("text", { x: left - 8, y: top + 4, "text-anchor": "end" }, "B"));
    return svg;
  }

  function sizes(shadow) {
    const rows = shadow.functions.filter((row) => row[2] === "changed");
    if (rows.length < 2) return null;
    const edges = [-1e9, -256, -64, -16, -1e-9, 0.5, 16.5, 64.5, 256.5, 1e9];
    const names = ["\u2212256, less", "\u2212255\u2026\u221264", "\u221263\u2026\u221216", "\u221215\u2026\u22121", "same size", "+1\u2026+16", "+17\u2026+64", "+65\u2026+256", "more"];
    const counts = names.map(() => 0);
    for (const row of rows) { const grown = row[4] - row[3]; counts[edges.findIndex((edge, index) => grown >= edge && grown < edges[index + 1])] += 1; }
    const width = 560, height = 300, bottom = 34, step = width / names.length, most = Math.max(...counts);
    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "changed functions by growth" });
    svg.append(make("line", { class: "axis", x1: 0, x2: width, y1: height - bottom, y2: height - bottom }));
    counts.forEach((count, index) => {
      const tall = (count / most) * (height - bottom - 26), fill = index < 4 ? "var(--new)" : index === 4 ? "var(--faint)" : "var(--gone)";
      svg.append(make("rect", { x: index * step + 5, y: height - bottom - tall, width: step - 10, height: tall, rx: 4, fill, "fill-opacity": 0.85 }, make("title", {}, `${names[index]} bytes: ${count}`)),
        make("text", { class: "label", x: (index + 0.5) * step, y: height - bottom - tall - 7, "text-anchor": "middle" }, count ? number(count) : ""),
        make("text", { x: (index + 0.5) * step, y: height - bottom + 17, "text-anchor": "middle", style: "font-size:10.5px" }, names[index]));
    });
    return svg;
  }

  /* Tables: sorted, filtered, only the rows in view */

  function table(key, title, columns, rows, options = {}) {
    let sort = columns.findIndex((column) => column.key === (state[key + ".sort"] || options.sort));
    let down = (state[key + ".dir"] || options.dir || "down") === "down";
    let query = state[key + ".q"] || "";
    let only = state[key + ".only"] || "";
    let shown = [];
    const text = rows.map((row) => columns.filter((column) => column.find).map((column) => column.get(row)).join("\n").toLowerCase());
    const body = make("tbody", { id: key + "-rows" });
    const heads = columns.map((column, index) => make("th", { class: column.number ? "n" : null, style: column.width ? "width:" + column.width : null, scope: "col", tabindex: 0, "data-key": column.key,
      on: { click: () => order(index), keydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); order(index); } } } }, column.name));
    const scroll = make("div", { class: "scroll", on: { scroll: () => requestAnimationFrame(draw) } }, make("table", { id: key }, make("thead", {}, make("tr", {}, ...heads)), body));
    const count = make("span", { class: "count", id: key + "-count", "aria-live": "polite" });
    const search = make("input", { type: "search", id: key + "-filter", placeholder: options.placeholder || "filter\u2026", "aria-label": "filter " + title, on: { input: () => { query = search.value; remember(key + ".q", query); apply(); } } });
    search.value = query;
    const chips = (options.chips || []).map(([value, label]) => make("button", { class: "chip", type: "button", "data-value": value, on: { click: () => { only = only === value ? "" : value; remember(key + ".only", only); apply(); } } }, label));

    function order(index) {
      down = sort === index ? !down : Boolean(columns[index].number);
      sort = index;
      remember(key + ".sort", columns[index].key);
      remember(key + ".dir", down ? "down" : "up");
      apply();
    }
    function apply() {
      const words = query.toLowerCase().split(/\s+/).filter(Boolean);
      shown = [];
      rows.forEach((row, index) => { if ((!only || options.chip(row) === only) && words.every((word) => text[index].includes(word))) shown.push(row); });
      const column = columns[sort];
      if (column) {
        const value = column.value || column.get;
        shown.sort((a, b) => { const x = value(a), y = value(b); return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1); });
      }
      heads.forEach((head, index) => { if (index === sort) head.setAttribute("aria-sort", down ? "descending" : "ascending"); else head.removeAttribute("aria-sort"); });
      chips.forEach((chip) => chip.setAttribute("aria-pressed", String(chip.dataset.value === only)));
      count.textContent = shown.length === rows.length ? plural(rows.length, "row") : `${number(shown.length)} of ${plural(rows.length, "row")}`;
      scroll.scrollTop = 0;
      draw();
    }
    function draw() {
      const first = Math.max(0, Math.floor(scroll.scrollTop / ROW) - 10);
      const last = Math.min(shown.length, first + Math.ceil(560 / ROW) + 24);
      const gap = (height) => make("tr", { class: "gap", "aria-hidden": "true" }, make("td", { colspan: columns.length, style: `height:${height}px` }));
      const lines = shown.slice(first, last).map((row) => make("tr", {}, ...columns.map((column) => {
        const content = column.show ? column.show(row) : column.get(row);
        return make("td", { class: [column.number ? "n" : "", column.class ? column.class(row) : ""].join(" ").trim() || null, title: column.title ? column.title(row) : column.number ? null : column.get(row) }, typeof content === "number" ? number(content) : content);
      })));
      body.replaceChildren(...(first ? [gap(first * ROW)] : []), ...lines, ...(last < shown.length ? [gap((shown.length - last) * ROW)] : []));
    }
    apply();
    const card = make("section", { class: "card", style: "margin-bottom:16px" }, make("h2", {}, title), options.note ? make("div", { class: "note", style: "margin:0" }, options.note) : null,
      make("div", { class: "tools" }, search, ...chips, count), scroll);
    card.filter = (words) => { query = words; search.value = words; only = ""; remember(key + ".q", words); remember(key + ".only", ""); apply(); card.scrollIntoView({ behavior: "smooth" }); };
    return card;
  }

  const bent = (value) => (value > 0 ? "up" : value < 0 ? "down" : "soft");

  function functions(shadow) {
    const object = (row) => shadow.objects[row[0]][0];
    const counts = {};
    for (const row of shadow.functions) counts[kind(row[2])] = (counts[kind(row[2])] || 0) + 1;
    const chips = ["changed", "removed", "new", "other"].filter((what) => counts[what]).map((what) => [what, `${WORDS[what]} ${number(counts[what])}`]);
    return table("functions", "Functions", [
      { key: "function", name: "function", get: (row) => row[1], find: true, class: () => "code", width: "23%" },
      { key: "object", name: "object", get: object, find: true, class: () => "soft", width: "14%" },
      { key: "change", name: "change", get: (row) => row[2], show: (row) => make("span", { class: "tag " + kind(row[2]) }, WORDS[row[2]] || row[2]), width: "88px" },
      { key: "a", name: "A, bytes", get: (row) => row[3], number: true, width: "88px" },
      { key: "b", name: "B, bytes", get: (row) => row[4], number: true, width: "88px" },
      { key: "growth", name: "growth", get: (row) => row[4] - row[3], value: (row) => Math.abs(row[4] - row[3]), show: (row) => signed(row[4] - row[3]), class: (row) => bent(row[4] - row[3]), number: true, width: "92px" },
      { key: "difference", name: "what differs", get: (row) => row[5], find: true, class: () => "code soft" },
    ], shadow.functions, { sort: "growth", chips, chip: (row) => kind(row[2]), placeholder: "filter by function, object, what differs\u2026" });
  }

  function objects(shadow) {
    const rows = shadow.objects.map((object, index) => ({ object, per: shadow.per[index] }));
    const touched = (row) => row.per.changed + row.per.new + row.per.removed + row.per.other;
    const columns = [
      { key: "object", name: "object", get: (row) => row.object[0], find: true, width: "24%" },
      { key: "source", name: "source", get: (row) => row.object[1], find: true, class: () => "soft" },
      { key: "functions", name: "functions", get: (row) => row.object[2][0], number: true, width: "88px" },
      { key: "differ", name: "differ", get: touched, number: true, width: "74px" },
      { key: "changed", name: "changed", get: (row) => row.per.changed, number: true, width: "82px" },
      { key: "gone", name: "gone", get: (row) => row.per.removed, number: true, width: "64px" },
      { key: "new", name: "new", get: (row) => row.per.new, number: true, width: "58px" },
      { key: "code", name: "code A", get: (row) => row.object[3][0], number: true, width: "88px" },
      { key: "growth", name: "growth", get: (row) => row.object[3][1] - row.object[3][0], value: (row) => Math.abs(row.object[3][1] - row.object[3][0]), show: (row) => signed(row.object[3][1] - row.object[3][0]), class: (row) => bent(row.object[3][1] - row.object[3][0]), number: true, width: "84px" },
    ];
    if (shadow.objects.some((object) => object[5])) columns.push(
      { key: "cpu", name: "CPU A", get: (row) => (row.object[5] ? row.object[5][0][0] : 0), show: (row) => (row.object[5] ? duration(row.object[5][0][0]) : ""), number: true, width: "82px" },
      { key: "cpub", name: "CPU B", get: (row) => (row.object[5] ? row.object[5][1][0] : 0), show: (row) => (row.object[5] ? duration(row.object[5][1][0]) : ""), number: true, width: "82px" });
    return table("objects", "Objects", columns, rows, { sort: "differ", placeholder: "filter by object or source\u2026" });
  }

  function losses(shadow) {
    if (!shadow.losses.length) return null;
    const kinds = ["inlining lost", "clone gone", "inlining gained"];
    const chips = kinds.map((what) => [what, shadow.losses.filter((row) => row[1] === what).length]).filter(([, count]) => count).map(([what, count]) => [what, `${what} ${number(count)}`]);
    const colour = { "inlining lost": "changed", "clone gone": "gone", "inlining gained": "new" };
    return table("losses", "Inlining and clones", [
      { key: "kind", name: "what", get: (row) => row[1], show: (row) => make("span", { class: "tag " + colour[row[1]] }, row[1]), width: "140px" },
      { key: "function", name: "function", get: (row) => row[2], find: true, class: () => "code" },
      { key: "caller", name: "in, or clone of", get: (row) => row[3], find: true, class: () => "code" },
      { key: "object", name: "object", get: (row) => shadow.objects[row[0]][0], find: true, class: () => "soft" },
    ], shadow.losses, { sort: "kind", dir: "down", chips, chip: (row) => row[1], note: "Lost: B calls what A had inlined. Gained: the other way round." });
  }

  function failed(shadow) {
    if (!shadow.failed.length) return null;
    return table("failed", "Nothing to compare", [
      { key: "object", name: "object", get: (row) => row[0], find: true, width: "34%" },
      { key: "why", name: "why", get: (row) => row[1], find: true, class: () => "soft" },
    ], shadow.failed, { sort: "object", dir: "up" });
  }

  function headline(shadow, total) {
    const of = `of ${plural(total.functions, "function")}`;
    switch (shadow.subject) {
      case "live-patching": return `${shadow.b.replace("with ", "")} changes ${percent(total.touched, total.functions)} ${of}`;
      case "same": return total.touched ? `${plural(total.touched, "function")} ${of} came out otherwise the second time` : `Compiled twice, all ${plural(total.functions, "function")} came out alike`;
      case "lines": return total.touched ? `${plural(total.touched, "function")} ${of} depend on line numbers` : `No function ${of} depends on a line number`;
      default: return `\u201c${shadow.name}\u201d changes ${percent(total.touched, total.functions)} ${of}`;
    }
  }

  function lead(shadow, total) {
    const parts = ["A: ", make("b", {}, shadow.a), ". B: ", make("b", {}, shadow.b), `. ${plural(shadow.objects.length, "unit")} compiled both ways`];
    if (shadow.failed.length) parts.push(`, ${number(shadow.failed.length)} could not be`);
    if (total.dataDiffer) parts.push(`; ${number(total.dataDiffer)} data differ`);
    return make("p", { class: "lead" }, ...parts, ".");
  }

  function verdict(shadow, total) {
    const good = total.touched === 0 && total.dataDiffer === 0;
    const said = shadow.subject === "same"
      ? good ? "As far as two compiles of each unit can tell, this build is deterministic." : "A live patch built from such a unit would list functions that no edit touched."
      : good ? "A fix that only moves lines leaves every function as it is." : "A fix that moves lines changes these too; a comparison of builds lists them although they do the same.";
    return make("section", { class: "card verdict" + (good ? "" : " bad") }, make("div", { class: "badge", "aria-hidden": "true" }, good ? "\u2713" : "!"), make("div", {}, said));
  }

  function draw(shadow) {
    const total = sum(shadow);
    const compares = shadow.subject === "live-patching" || shadow.subject === "other";
    const parts = [make("h1", {}, headline(shadow, total)), lead(shadow, total)];
    const list = functions(shadow);
    if (!compares) parts.push(verdict(shadow, total));
    if (compares) {
      parts.push(tiles(shadow, total), noreturn(shadow));
      let by = state.by || (new Set(grouped(shadow, "directory").map((group) => group.name)).size > 1 ? "directory" : "object");
      const where = make("div", {}), grown = make("div", {});
      const buttons = ["directory", "object"].map((what) => make("button", { type: "button", on: { click: () => { by = what; remember("by", what); charts(); } } }, "by " + what));
      function charts() {
        buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === "by " + by)));
        const groups = grouped(shadow, by);
        where.replaceChildren(bars(groups, (name) => list.filter(name === "." ? "" : name)));
        grown.replaceChildren(growths(groups, (name) => list.filter(name === "." ? "" : name)));
      }
      charts();
      const card = (title, note, content, control) => content && make("section", { class: "card" }, make("div", { class: "head" }, make("div", {}, make("h2", {}, title), make("div", { class: "note" }, note)), control || null), content);
      parts.push(make("div", { class: "grid" }, card("Where functions differ", "number, and share of that place\u2019s functions", where, make("div", { class: "switch" }, ...buttons)),
        card("Where code grows", "bytes of all functions", grown), card("Changed functions by growth", "bytes; a function may change and keep its size", sizes(shadow)),
        card("Compile time", "CPU of each unit; above the line, B took longer", times(shadow))));
    }
    if (compares || shadow.functions.length) parts.push(list);
    parts.push(losses(shadow), objects(shadow), failed(shadow));
    main.replaceChildren(...parts.filter(Boolean));
  }

  /* The frame */

  document.getElementById("recording").textContent = data.recording.replace(/^'|'$/g, "");
  document.getElementById("footer").textContent = `${number(data.units - data.once)} of ${plural(data.units, "unit")} compiled twice` + data.because.map((one) => `; ${number(one.units)} not: ${one.reason}`).join("") + (data.troubles.length ? `; ${plural(data.troubles.length, "record")} could not be read` : "");
  const tabs = data.shadows.map((shadow) => make("button", { type: "button", role: "tab", "data-shadow": shadow.name, on: { click: () => choose(shadow) } }, shadow.name));
  document.getElementById("shadows").replaceChildren(...tabs);
  function choose(shadow) {
    tabs.forEach((tab) => tab.setAttribute("aria-selected", String(tab.dataset.shadow === shadow.name)));
    remember("shadow", shadow.name);
    draw(shadow);
  }
  const theme = document.getElementById("theme");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  function light(wanted) {
    if (wanted) root.dataset.theme = wanted;
    theme.textContent = dark() ? "\u2600" : "\u263e";
  }
  theme.addEventListener("click", () => { const wanted = dark() ? "light" : "dark"; light(wanted); remember("theme", wanted); });
  light(state.theme);
  if (data.shadows.length) choose(data.shadows.find((shadow) => shadow.name === state.shadow) || data.shadows[0]);
  else main.replaceChildren(make("h1", {}, "No unit of this recording was compiled twice"), make("p", { class: "lead" }, "Say LPCC_TWICE=toggle-live-patching, or [twice] in lpcc.toml, and build again."));
  root.dataset.ready = "true";
})();
