// The status page. Everything that comes from a log was chosen by strangers: it is put into the page as
// text (textContent, attributes of our own), and never as HTML.
"use strict";

const svgNamespace = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

// MARK: Making elements

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children) if (child !== null && child !== undefined) made.append(child);
  return made;
}

function drawn(name, attributes = {}, text) {
  const made = document.createElementNS(svgNamespace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Controls and direction marks would change how the text around them reads. */
function plain(text) {
  return String(text ?? "").replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]/gu, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);
}

function setText(id, text) {
  const place = byId(id);
  if (place.textContent !== text) place.textContent = text;
}

const numbers = new Intl.NumberFormat("en");
const count = (value) => numbers.format(value ?? 0);
const plural = (value, one, many = one + "s") => `${count(value)} ${value === 1 ? one : many}`;

function moment(text, withSeconds = false) {
  if (!text) return "";
  return text.slice(0, 10) + " " + text.slice(11, withSeconds ? 19 : 16);
}

function timeElement(text, withSeconds = false) {
  return element("time", { datetime: text }, moment(text, withSeconds));
}

function span(milliseconds) {
  const minutes = Math.floor(milliseconds / 60000);
  if (minutes < 1) return "less than a minute";
  if (minutes < 60) return plural(minutes, "minute");
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return plural(hours, "hour");
  return plural(Math.floor(hours / 24), "day");
}

function level(severity) {
  if (severity >= 99) return "critical";
  if (severity >= 73) return "high";
  if (severity >= 47) return "medium";
  if (severity >= 21) return "low";
  return "informational";
}

// MARK: Asking

async function ask(path) {
  const response = await fetch(path, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if (response.status === 401) throw new Error("locked");
  if (!response.ok) throw new Error((await response.text()).trim() || `status ${response.status}`);
  return response.json();
}

function showLink(state, text) {
  const place = byId("link");
  place.className = "link " + state;
  if (place.textContent !== text) place.textContent = text;
}

let isLost = false;

function lost(error) {
  isLost = true;
  showLink("lost", error.message === "locked" ? "the session has ended: postern status prints a fresh link" : "no answer from the daemon");
}

function found() {
  isLost = false;
  showLink("live", "live");
}

// MARK: Now

let now = null;
let sortBy = "sends";

function showNow(fresh) {
  now = fresh;
  setText("host", plain(now.host));
  setText("uptime", "up " + span(Date.now() - Date.parse(now.started)));
  setText("version", "Postern " + plain(now.version));
  setText("log-time", now.log_time ? "log at " + moment(now.log_time, true) : "no line yet");
  setText("tile-rate", count(now.lines_per_second));
  setText("tile-accounts", count(now.active_accounts));
  setText("tile-sends", count(now.hour.sends));
  setText("tile-unseen", count(now.hour.unseen));
  setText("tile-receipts", count(now.hour.receipts));
  showChart();
  showAccounts();
  showSight();
  showSources();
  showSinks();
  showNotices();
  showVerdict();
}

function showChart() {
  const place = byId("chart");
  const { sends_by_minute: sends, unseen_by_minute: unseen, receipts_by_minute: receipts } = now.hour;
  const key = JSON.stringify([sends, unseen, receipts, place.clientWidth]);
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  const width = Math.max(260, place.clientWidth);
  const most = Math.max(4, ...sends);
  const height = 128, bottom = 106, top = 10, left = 12 + 7 * count(most).length;
  const step = (width - left) / sends.length;
  const y = (value) => bottom - (value / most) * (bottom - top);
  const chart = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Sends by minute over the last hour of the log: ${count(now.hour.sends)} in all, at most ${count(Math.max(0, ...sends))} in a minute; ${count(now.hour.unseen)} to unseen domains, ${count(now.hour.receipts)} read receipts` });
  for (const value of [0, most / 2, most]) {
    chart.append(drawn("line", { class: "grid", x1: left, x2: width, y1: y(value), y2: y(value) }));
    if (Number.isInteger(value)) chart.append(drawn("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, count(value)));
  }
  sends.forEach((value, index) => {
    const x = left + index * step;
    const bars = [["b-sends", value], ["b-unseen", unseen[index]], ["b-receipts", receipts[index]]];
    for (const [name, size] of bars) {
      if (size > 0) chart.append(drawn("rect", { class: name, x: x + step * .12, width: Math.max(1, step * .76), y: y(size), height: Math.max(1.5, bottom - y(size)), rx: 1 }));
    }
  });
  for (const back of [60, 45, 30, 15, 0]) {
    const x = left + (sends.length - back) * step;
    chart.append(drawn("text", { x, y: height - 6, "text-anchor": back === 60 ? "start" : back === 0 ? "end" : "middle" }, back === 0 ? "now" : `−${back} min`));
  }
  place.replaceChildren(chart);
}

function showAccounts() {
  const rows = [...now.accounts].sort((a, b) => b[sortBy] - a[sortBy] || (a["user.name"] < b["user.name"] ? -1 : 1)).slice(0, 12);
  byId("accounts-empty").hidden = rows.length > 0;
  const cell = (value, isHot) => element("td", { class: "n" + (value === 0 ? " zero" : isHot ? " hot" : "") }, count(value));
  byId("accounts").replaceChildren(...rows.map((row) => element("tr", {},
    element("td", {}, plain(row["user.name"])),
    cell(row.sends), cell(row.unseen), cell(row.receipts, true),
    element("td", { class: "n" }, (row.last || "").slice(11, 19)))));
}

function showSight() {
  const seen = now.coverage;
  const missing = new Set(seen.missing);
  const share = (part, all) => (all > 0 ? Math.floor((part * 100) / all) : null);
  const parts = [
    ["accounts", seen.submissions > 0 ? 100 : null, missing.has("silence") || seen.submissions === 0, "who was logged in"],
    ["subjects", share(seen.subjects, seen.submissions), missing.has("subject") || (seen.submissions > 0 && seen.subjects === 0), "what a message was called"],
    ["recipients", share(seen.recipients, seen.submissions), missing.has("recipient"), "whom it went to"],
    ["outcomes", share(seen.outcomes, seen.ended), false, "what became of it"],
  ];
  byId("sight").replaceChildren(...parts.map(([name, percent, isMissing, meaning]) => {
    const bar = drawn("svg", { viewBox: "0 0 100 5", preserveAspectRatio: "none", "aria-hidden": "true" });
    bar.append(drawn("rect", { width: percent ?? 0, height: 5 }));
    const word = name === "accounts" ? (percent === null ? "none yet" : isMissing ? "gone quiet" : "yes") : percent === null ? "none yet" : `${percent} %`;
    return element("li", { class: isMissing ? "missing" : null, title: meaning },
      element("span", {}, name), element("span", { class: "meter" }, bar), element("span", { class: "word" }, word));
  }));
  let text = "";
  if (seen.submissions === 0) text = "No submission with a login was seen yet: postern doctor tells what the log lacks.";
  else if (seen.subjects === 0) text = "The log has no subjects, without which receipts cannot be told: postern doctor has the lines to add.";
  else text = `Of the last ${plural(seen.submissions, "submission")}; outcomes of the last hour. The last one came at ${moment(seen.last_submission)} or up to five minutes later.`;
  setText("sight-text", text);
}

function stateLine(kind, name, words) {
  return element("li", { class: "state-line " + kind }, element("span", { class: "name" }, plain(name)), element("span", { class: "say" }, words));
}

function showSources() {
  byId("sources").replaceChildren(...now.sources.map((source) => {
    if (source.failure) return stateLine("bad", source.name, "cannot be read: " + plain(source.failure));
    if (!source.last) return stateLine("warn", source.name, "no line yet");
    return stateLine(source.caught_up ? "" : "warn", source.name,
      (source.caught_up ? "read to its end; last line " : "still reading what was written before; at ") + moment(source.last, true));
  }));
}

function showVerdict() {
  const problems = [];
  if (now.commit_failure) problems.push("The state cannot be written: " + plain(now.commit_failure) + ". Nothing is lost, and nothing is sent.");
  for (const source of now.sources) if (source.failure) problems.push(`${plain(source.name)} cannot be read.`);
  for (const part of now.coverage.missing) problems.push(part === "silence" ? "Submissions have stopped at a time when there are some." : `The log has lost the ${part} of most submissions.`);
  if (now.coverage.submissions > 0 && now.coverage.subjects === 0) problems.push("The log has no subjects: receipts cannot be told.");
  for (const sink of now.sinks) if (sink.state === "dead") problems.push(`The sink ${plain(sink.name)} takes nothing.`);
  const place = byId("verdict");
  const open = now.open_alerts;
  let kind, title;
  if (open > 0) {
    kind = "alarm";
    title = open === 1 ? "One alert is open" : `${count(open)} alerts are open`;
  } else if (problems.length > 0) {
    kind = "blind";
    title = "No alert, but Postern does not see everything";
  } else if (now.coverage.submissions === 0) {
    kind = "blind";
    title = "No mail has been seen yet";
  } else {
    kind = "calm";
    title = "All is quiet";
    problems.push("No alert is open. " + (now.caught_up ? "Every line that was written has been read." : "Older lines are still being read."));
  }
  if (open > 0 && problems.length === 0) problems.push(now.caught_up ? "The log is read to its end, and says what Postern needs." : "Older lines of the log are still being read.");
  place.className = "verdict " + kind;
  setText("verdict-title", title);
  setText("verdict-text", problems.join(" "));
  document.title = open > 0 ? `(${open}) Postern` : "Postern";
}

function showNotices() {
  byId("notices-section").hidden = now.notices.length === 0;
  byId("notices").replaceChildren(...now.notices.slice(0, 8).map((notice) => element("li", {},
    timeElement(notice["@timestamp"]), element("p", {}, plain(notice.message)))));
}

// MARK: Sinks

let outbox = new Map();

function showSinks() {
  byId("sinks").replaceChildren(...(now.sinks.length === 0 ? [stateLine("warn", "nowhere", "alerts are kept, and sent to nobody")] : now.sinks.map((sink) => {
    const row = outbox.get(sink.name) ?? {};
    const words = [];
    if (sink.state === "dead") words.push(`takes nothing after ${plural(sink.failures, "failure")}: ${plain(sink.error)}`);
    else if (sink.state === "failing") words.push("failing, tried again: " + plain(sink.error));
    words.push(row.waiting > 0 ? `${plural(row.waiting, "alert")} waiting since ${moment(row.oldest_waiting)}` : "nothing waits");
    if (row.abandoned > 0) words.push(`${count(row.abandoned)} given up`);
    return stateLine(sink.state === "working" ? "" : sink.state === "dead" ? "bad" : "warn", sink.name, words.join("; "));
  })));
}

// MARK: Alerts

let which = "open";
let nextCursor = null;
let shownCount = 0;
const items = new Map();

async function loadAlerts(isFresh) {
  const status = which === "open" ? "&status=open" : "";
  const answer = await ask("/api/v1/alerts?limit=" + Math.max(20, isFresh ? Math.min(200, shownCount) : 20) + status + (isFresh || !nextCursor ? "" : "&cursor=" + nextCursor));
  const list = byId("alerts");
  const wanted = answer.alerts.map(alertItem);
  if (isFresh) {
    // Only what is not in its place is moved, so that focus stays where it is.
    const keep = new Set(wanted);
    for (const child of [...list.children]) if (!keep.has(child)) child.remove();
    wanted.forEach((item, index) => { if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null); });
    shownCount = wanted.length;
  } else {
    list.append(...wanted);
    shownCount += wanted.length;
  }
  nextCursor = answer.next ?? null;
  byId("alerts-more").hidden = !nextCursor;
  const empty = byId("alerts-empty");
  empty.hidden = shownCount > 0;
  empty.textContent = which === "open" ? "None is open." : "There was none yet.";
}

function alertItem(alert) {
  const id = alert["event.id"];
  const key = JSON.stringify(alert);
  let item = items.get(id);
  if (!item) {
    const head = element("button", { type: "button", class: "alert-head", "aria-expanded": "false" });
    const detail = element("div", { class: "detail", hidden: true });
    item = { row: element("li", {}, head, detail), head, detail, key: "", isOpen: false };
    head.addEventListener("click", () => toggle(id));
    items.set(id, item);
  }
  if (item.key !== key) {
    const isNews = item.key !== "";
    item.key = key;
    item.alert = alert;
    const accounts = alert["related.user"] ?? [];
    const who = alert["user.name"] ?? (accounts.length === 1 ? accounts[0] : plural(accounts.length, "account"));
    const tags = [];
    const tag = (text, name = "tag") => tags.push(element("span", { class: name }, text));
    if (alert["postern.status"] === "resolved") tag("resolved", "tag done");
    if (alert["postern.acknowledged_by"]) tag("seen by " + plain(alert["postern.acknowledged_by"]), "tag done");
    if (alert["postern.silenced"]) tag("silenced");
    if (alert["postern.degraded"]) tag("degraded: " + plain(alert["postern.degraded"].join(", ")));
    tag(plain(alert["rule.name"]));
    const word = level(alert["event.severity"]);
    item.head.replaceChildren(
      element("span", { class: "level " + word }, word), element("span", { class: "who" }, plain(who)),
      element("span", { class: "when" }, timeElement(alert["@timestamp"])),
      element("span", { class: "what" }, plain(alert.message)), element("span", { class: "tags" }, ...tags));
    if (isNews) {
      item.row.classList.remove("fresh");
      requestAnimationFrame(() => item.row.classList.add("fresh"));
      if (item.isOpen) showDetail(id).catch(lost);
    }
  }
  return item.row;
}

function toggle(id) {
  const item = items.get(id);
  item.isOpen = !item.isOpen;
  item.head.setAttribute("aria-expanded", String(item.isOpen));
  item.detail.hidden = !item.isOpen;
  if (item.isOpen) showDetail(id).catch((error) => { item.detail.replaceChildren(element("p", { class: "empty" }, plain(error.message))); });
}

function part(title, ...children) {
  return element("div", {}, element("h3", {}, title), ...children);
}

async function showDetail(id) {
  const item = items.get(id);
  if (item.detail.childElementCount === 0) item.detail.replaceChildren(element("p", { class: "empty" }, "reading the evidence…"));
  const answer = await ask("/api/v1/alerts/" + id);
  item.answer = answer;
  const { alert, bundles, events } = answer;
  const list = (values) => element("ul", { class: "plain" }, ...values.map((value) => element("li", {}, plain(value))));
  const parts = [];
  item.plot = element("div", { class: "dots" });
  parts.push(part(events.length > 0 ? `When: ${plural(events.length, "message")} ${answer.is_sealed ? "of the evidence" : "so far, some of them not in a bundle yet"}` : "When", item.plot,
    element("p", { class: "legend", "aria-hidden": "true" }, ...["sent", "deferred", "bounced", "unknown"].map((name) => element("span", { class: "key " + name }, name === "unknown" ? "not known" : name)))));
  if ((alert["postern.diagnosis_facts"] ?? []).length > 0) parts.push(part("Why Postern says so", list(alert["postern.diagnosis_facts"])));
  const hosts = alert["related.hosts"] ?? [];
  if (hosts.length > 0) {
    const more = (alert["postern.related_hosts_left_out"] ?? 0) + Math.max(0, hosts.length - 24);
    parts.push(part("To these domains", element("p", { class: "mono" }, hosts.slice(0, 24).map(plain).join("  ") + (more > 0 ? `  and ${count(more)} more` : ""))));
  }
  if (alert["postern.remediation"]) parts.push(part("What to do", element("p", {}, plain(alert["postern.remediation"]))));
  if ((alert["postern.commands"] ?? []).length > 0) parts.push(part("On the mail server", element("pre", {}, alert["postern.commands"].map(plain).join("\n"))));
  const files = bundles.map((name) => element("a", { href: "/api/v1/evidence/" + encodeURIComponent(name), download: name }, "Download " + name));
  parts.push(part("Evidence", files.length > 0 ? element("div", { class: "files" }, ...files)
    : element("p", { class: "empty" }, answer.has_pseudonyms ? "Bundles hold names, and pseudonyms are shown here." : "No bundle is kept.")));
  item.detail.replaceChildren(...parts);
  plot(item);
}

/** Each message on the lane of its account, and how many there were. */
function plot(item) {
  if (!item.plot || !item.answer) return;
  const { events, steps } = item.answer;
  const width = Math.max(260, item.plot.clientWidth);
  const isWide = width > 560;
  const left = isWide ? 190 : 8, right = width - 10;
  const times = [...events.map((event) => Date.parse(event.time)), ...steps.filter((step) => step.action !== "updated").map((step) => Date.parse(step.time))].filter(Number.isFinite);
  if (times.length === 0) return;
  const first = Math.min(...times), last = Math.max(...times);
  const room = Math.max(1000, (last - first) / 30);
  const x = (time) => left + ((time - first + room) / (last - first + 2 * room)) * (right - left);
  const accounts = [...new Set(events.map((event) => event["user.name"]))];
  const lanes = accounts.slice(0, 8);
  const laneHeight = isWide ? 30 : 44, sumTop = 22, sumHeight = 56;
  const bottom = sumTop + sumHeight + 12 + Math.max(1, lanes.length) * laneHeight;
  const image = drawn("svg", { viewBox: `0 0 ${width} ${bottom + 22}`, role: "img",
    "aria-label": `${plural(events.length, "message")} of ${plural(accounts.length, "account")} from ${moment(new Date(first).toISOString(), true)} to ${moment(new Date(last).toISOString(), true)}` });
  const base = sumTop + sumHeight;
  const texts = isWide ? 5 : 3;
  for (let tick = 0; tick < texts; tick += 1) {
    const time = first + ((last - first) * tick) / (texts - 1);
    const text = new Date(time).toISOString();
    const label = last - first > 2 * 86400000 ? text.slice(5, 10) + " " + text.slice(11, 16) : text.slice(11, 19);
    image.append(drawn("line", { class: "grid", x1: x(time), x2: x(time), y1: sumTop, y2: bottom }));
    image.append(drawn("text", { x: x(time), y: bottom + 16, "text-anchor": tick === 0 ? "start" : tick === texts - 1 ? "end" : "middle" }, label));
  }
  if (events.length > 0) {
    let path = `M${left} ${base}`;
    events.forEach((event, index) => { path += `H${x(Date.parse(event.time)).toFixed(1)}V${(base - ((index + 1) / events.length) * (sumHeight - 6)).toFixed(1)}`; });
    path += `H${right}`;
    image.append(drawn("path", { class: "area", d: `${path}V${base}Z` }), drawn("path", { class: "run", d: path }));
    if (isWide) image.append(drawn("text", { x: left - 12, y: base - 2, "text-anchor": "end" }, `${count(events.length)} messages`));
  }
  lanes.forEach((account, index) => {
    const y = base + 12 + (index + (isWide ? .5 : .68)) * laneHeight;
    image.append(drawn("line", { class: "grid", x1: left, x2: right, y1: y, y2: y }));
    const name = plain(account);
    const short = name.length > 28 ? name.slice(0, 14) + "…" + name.slice(-13) : name;
    image.append(drawn("text", isWide ? { x: left - 12, y: y + 4, "text-anchor": "end" } : { x: left, y: y - 13 }, short));
    for (const event of events) {
      if (event["user.name"] !== account) continue;
      const dot = drawn("circle", { class: event.outcome === "not known" ? "unknown" : event.outcome, cx: x(Date.parse(event.time)).toFixed(1), cy: y, r: 5 });
      dot.append(drawn("title", {}, `${moment(event.time, true)} to ${plain(event["email.to.address"])}: ${event.outcome}`));
      image.append(dot);
    }
  });
  for (const step of steps) {
    if (step.action === "updated") continue;
    const place = x(Date.parse(step.time));
    image.append(drawn("line", { class: "mark " + step.action, x1: place, x2: place, y1: sumTop - 4, y2: bottom }));
    image.append(drawn("text", { class: "strong", x: place, y: 12, "text-anchor": place > right - 50 ? "end" : place < left + 50 ? "start" : "middle" }, plain(step.action)));
  }
  item.plot.replaceChildren(image);
}

// MARK: Continuity

const daysShown = 28;

function showContinuity(days) {
  const sources = new Map();
  for (const day of days) {
    if (!sources.has(day["postern.source"])) sources.set(day["postern.source"], new Map());
    sources.get(day["postern.source"]).set(day.date, day);
  }
  const newest = days.length > 0 ? Date.parse(days[0].date + "T00:00:00Z") : 0;
  const blocks = [...sources].map(([name, known]) => {
    const strip = drawn("svg", { viewBox: `0 0 ${daysShown * 12} 16`, preserveAspectRatio: "none", role: "img" });
    let whole = 0, broken = 0;
    const gaps = [];
    for (let back = daysShown - 1; back >= 0; back -= 1) {
      const date = new Date(newest - back * 86400000).toISOString().slice(0, 10);
      const day = known.get(date);
      const hasGap = day && day.gap_list.some((gap) => gap.gap !== "read-again");
      if (day) { if (hasGap) broken += 1; else whole += 1; }
      const box = drawn("rect", { class: !day ? "none" : hasGap ? "gap" : "whole", x: (daysShown - 1 - back) * 12, width: 10.6, height: 16 });
      box.append(drawn("title", {}, day ? `${date}: ${plural(day.lines, "line")}${hasGap ? ", with gaps" : ""}` : `${date}: nothing`));
      strip.append(box);
      if (hasGap) for (const gap of day.gap_list) if (gap.gap !== "read-again") gaps.push(element("li", {}, plain(gap.message + (gap.detail ? ": " + gap.detail : ""))));
    }
    strip.setAttribute("aria-label", `${plural(whole, "day")} read whole, ${count(broken)} with gaps, of the last ${daysShown}`);
    return element("div", {},
      element("h3", {}, `${plain(name)}: ${plural(whole, "day")} read whole${broken > 0 ? `, ${count(broken)} with gaps` : ""}`), strip,
      gaps.length > 0 ? element("ul", { class: "gaps" }, ...gaps.slice(-10)) : null);
  });
  const place = byId("continuity");
  place.className = "days";
  place.replaceChildren(...blocks);
}

// MARK: Round and round

async function refreshNow() {
  try {
    const before = now?.open_alerts;
    showNow(await ask("/api/v1/now"));
    found();
    if (before !== undefined && before !== now.open_alerts) await loadAlerts(true);
  } catch (error) { lost(error); }
}

async function refreshRest() {
  try {
    const [days, sinks] = await Promise.all([ask("/api/v1/continuity?limit=200"), ask("/api/v1/sinks")]);
    showContinuity(days.days);
    outbox = new Map(sinks.sinks.map((sink) => [sink.name, sink]));
    if (now) showSinks();
    await loadAlerts(true);
  } catch (error) { lost(error); }
}

function choose(choice) {
  which = choice;
  nextCursor = null;
  shownCount = 0;
  byId("show-open").setAttribute("aria-pressed", String(choice === "open"));
  byId("show-all").setAttribute("aria-pressed", String(choice === "all"));
  loadAlerts(true).catch(lost);
}

byId("show-open").addEventListener("click", () => choose("open"));
byId("show-all").addEventListener("click", () => choose("all"));
byId("alerts-more").addEventListener("click", () => loadAlerts(false).catch(lost));
for (const button of document.querySelectorAll("[data-sort]")) {
  button.addEventListener("click", () => {
    sortBy = button.dataset.sort;
    for (const other of document.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    button.closest("th").setAttribute("aria-sort", "descending");
    if (now) showAccounts();
  });
}

let resizing = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(() => {
    if (now) showChart();
    for (const item of items.values()) if (item.isOpen) plot(item);
  });
});

function listen() {
  const stream = new EventSource("/api/v1/events");
  let isWaiting = false;
  stream.addEventListener("alert", () => {
    // Many may come at once.
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(() => { isWaiting = false; refreshNow(); loadAlerts(true).catch(lost); }, 300);
  });
  // A browser gives up on an answer that is an error; we come again.
  stream.addEventListener("error", () => { if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 15000); });
}

function every(seconds, work) {
  setInterval(() => { if (!document.hidden) work(); }, seconds * 1000);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) { refreshNow(); refreshRest(); } });
(async () => {
  await refreshNow();
  await refreshRest();
  listen();
  every(2, refreshNow);
  every(30, refreshRest);
  document.documentElement.dataset.ready = "yes";
})();
