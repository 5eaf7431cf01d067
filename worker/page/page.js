// Asks /status again and again and shows the answer. Everything is set as text, never as markup.
"use strict";

const period = 1000; // ms
const minutes = 2;
const at = (id) => document.getElementById(id);

// An element with a class, and children: elements, or text.
function make(name, kind, ...children) {
  const element = document.createElement(name);
  if (kind) element.className = kind;
  element.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

function count(number) {
  if (number < 10000) return number.toLocaleString("en");
  return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(number);
}

function plural(number, word, many = word + "s") {
  return `${count(number)} ${number === 1 ? word : many}`;
}

function duration(seconds) {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return `${Math.round(seconds / 86400)} days`;
}

function rate(number) {
  return number < 10 ? number.toFixed(1) : count(Math.round(number));
}

// A bar of [class, share] parts; shares are of `whole`.
function fill_bar(bar, whole, parts) {
  while (bar.children.length < parts.length) bar.append(make("i"));
  parts.forEach(([kind, share], place) => {
    bar.children[place].className = kind;
    bar.children[place].style.width = `${whole > 0 ? (100 * share) / whole : 0}%`;
  });
}

function legend(list, entries) {
  list.replaceChildren(
    ...entries.map(([kind, name, value]) =>
      make("div", "", make("dt", kind ? `key ${kind}` : "quiet", make("span", "", name)), make("dd", "", value))),
  );
}

function table(element, columns, rows, none) {
  const head = make("tr", "", ...columns.map((column) => make("th", column.kind, column.title)));
  const body = rows.map((row) => make("tr", "", ...row.map((cell, place) => {
    const made = make("td", columns[place].kind);
    made.append(cell);
    return made;
  })));
  if (rows.length === 0) {
    const cell = make("td", "empty", none);
    cell.colSpan = columns.length;
    body.push(make("tr", "", cell));
  }
  element.replaceChildren(make("thead", "", head), make("tbody", "", ...body));
}

function list(element, items, none) {
  element.replaceChildren(...(items.length > 0 ? items : [make("p", "empty", none)]));
}

function tile(name, value, kind) {
  return make("div", "tile", make("b", kind, value), make("span", "quiet", name));
}

// Jobs a second, by what had ended at the last answers.
const answers = [];
function remember(status) {
  const ended = Object.values(status.jobs.ended).reduce((sum, one) => sum + one, 0);
  answers.push({ time: performance.now(), ended, worker: status.worker_id });
  while (answers.length > (minutes * 60000) / period + 1) answers.shift();
  const rates = [];
  for (let i = 1; i < answers.length; ++i) {
    const [before, after] = [answers[i - 1], answers[i]];
    const seconds = (after.time - before.time) / 1000;
    rates.push(Math.max(after.ended - before.ended, 0) / Math.max(seconds, 0.001));
  }
  return rates;
}

function show_chart(rates) {
  const most = Math.max(...rates, 1);
  const step = (120 * period) / (minutes * 60000);
  const first = 120 - (rates.length - 1) * step;
  const points = rates.map((one, place) => `${(first + place * step).toFixed(2)},${(29 - (28 * one) / most).toFixed(2)}`);
  at("chart").querySelector("path").setAttribute(
    "d", points.length > 1 ? `M${first.toFixed(2)},30 L${points.join(" L")} L120,30 Z` : "M0,30 L120,30");
  at("chart").setAttribute("aria-label", `at most ${rate(most)} a second`);
}

function show_self(status) {
  const role = status.leader ? "leads the fleet" : "";
  at("self").textContent = [`${status.host}:${status.pid}`, `worker ${status.worker_id}`, status.version, role]
    .filter(Boolean).join(" · ");
  const paused = status.heartbeat_age_seconds > 60;
  const [kind, word] = status.stopping ? ["warn", "stopping"] : paused ? ["bad", "no heartbeat"] : ["good", "running"];
  at("state").className = `chip ${kind}`;
  at("state").textContent = word;
  document.title = `${status.host}:${status.pid} · task-worker`;
}

function show_pool(pool) {
  const open = pool.checked_in + pool.checked_out;
  const kept = pool.checked_out - pool.overflow;
  const whole = Math.max(pool.size, open);
  fill_bar(at("pool-bar"), whole, [["busy", kept], ["warn", pool.overflow], ["good", pool.checked_in]]);
  at("pool-bar").setAttribute("aria-label", `${pool.checked_out} of ${pool.size} connections checked out`);
  legend(at("pool"), [
    ["busy", "checked out", count(pool.checked_out)],
    ["warn", "overflow", count(pool.overflow)],
    ["good", "checked in", count(pool.checked_in)],
    ["", "size", count(pool.size)],
    ["", "waiting", count(pool.waiting)],
    ["", "timeouts", count(pool.timeouts)],
    ["", "invalid", count(pool.invalid)],
  ]);
}

function show_tiles(status, rates) {
  const queues = status.fleet.queues ?? [];
  const sum = (key) => queues.reduce((all, queue) => all + queue[key], 0);
  const more = queues.some((queue) => queue.more) ? "+" : "";
  const oldest = Math.max(0, ...queues.map((queue) => queue.oldest_ready_seconds ?? 0));
  const live = (status.fleet.workers ?? []).filter((worker) => worker.state === "live").length;
  const known = status.fleet.queues !== undefined;
  const of_fleet = (value) => (known ? value : "…");
  at("tiles").replaceChildren(
    tile("available", of_fleet(count(sum("available")) + more)),
    tile("running", of_fleet(count(sum("running")) + more), sum("running") > 0 ? "busy" : ""),
    tile("scheduled", of_fleet(count(sum("scheduled")) + more)),
    tile("to be retried", of_fleet(count(sum("retryable")) + more), sum("retryable") > 0 ? "warn" : ""),
    tile("oldest waits", of_fleet(sum("available") > 0 ? duration(oldest) : "–")),
    tile("workers", of_fleet(count(live)), known && live === 0 ? "bad" : ""),
    tile("jobs/s here", rates.length > 0 ? rate(rates.slice(-3).reduce((all, one) => all + one, 0) / Math.min(rates.length, 3)) : "…"),
  );
}

function show_ended(jobs) {
  const words = Object.entries(jobs.ended).filter(([name, number]) => number > 0 || name === "completed");
  const kinds = { completed: "good", retried: "warn", discarded: "bad" };
  legend(at("ended"), [
    ...words.map(([name, number]) => [kinds[name] ?? "", name, count(number)]),
    ["", "running", `${count(jobs.running)} of ${plural(jobs.slots, "slot")}`],
    ["", "prefetched", count(jobs.prefetched)],
  ]);
}

function show_queues(queues) {
  const number = (title) => ({ title, kind: "number" });
  const columns = [{ title: "Queue" }, number("Available"), number("Running"), number("Scheduled"),
    number("To be retried"), number("Oldest waits"), { title: "" }];
  const rows = queues.map((queue) => {
    const more = queue.more ? "+" : "";
    const busy = make("span", queue.running > 0 ? "busy" : "", count(queue.running) + more);
    const retried = make("span", queue.retryable > 0 ? "warn" : "", count(queue.retryable) + more);
    return [make("b", "", queue.name), count(queue.available) + more, busy, count(queue.scheduled) + more, retried,
      queue.oldest_ready_seconds === null ? "–" : duration(queue.oldest_ready_seconds),
      queue.paused ? make("span", "chip warn", "paused") : ""];
  });
  table(at("queues"), columns, rows, "No queue yet: the first job makes one.");
}

function batch_of(batch) {
  const done = batch.state === "finished";
  const kind = batch.state === "cancelled" ? "warn" : done && batch.discarded > 0 ? "bad" : done ? "good" : "busy";
  const eta = batch.eta_seconds === null ? "" : `about ${duration(batch.eta_seconds)} left`;
  const pace = done ? rate(batch.overall_rate) : rate(batch.recent_rate);
  const words = [batch.round > 1 ? `round ${batch.round}` : "", batch.state, eta].filter(Boolean).join(" · ");
  const counts = [`${count(batch.completed + batch.discarded + batch.cancelled)} of ${plural(batch.total, "job")}`];
  if (batch.running > 0) counts.push(`${count(batch.running)} running`);
  if (batch.waiting > 0) counts.push(`${count(batch.waiting)} waiting`);
  if (batch.discarded > 0) counts.push(make("span", "bad", `${count(batch.discarded)} discarded`));
  if (batch.cancelled > 0) counts.push(make("span", "warn", `${count(batch.cancelled)} cancelled`));
  counts.push(`${pace} jobs/s`);
  const bar = make("div", "bar");
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-valuenow", String(batch.percent));
  fill_bar(bar, Math.max(batch.total, 1), [[done ? "good" : "busy", batch.completed], ["bad", batch.discarded],
    ["warn", batch.cancelled]]);
  const line = make("div", "counts");
  counts.forEach((one, place) => line.append(...(place > 0 ? [" · ", one] : [one])));
  const name = make("span", "name", batch.name || batch.id);
  name.title = batch.id;
  // A hundred only when all is done.
  const percent = `${Math.floor(batch.percent * 10) / 10}%`;
  const item = make("div", "batch",
    make("div", "row", name, make("span", kind, `${percent} · ${words}`)), bar, line);
  item.dataset.batch = batch.id;
  return item;
}

// Failures that say the same, as one: its newest, and how many there are.
function grouped(failures) {
  const groups = new Map();
  for (const failure of failures) {
    const key = JSON.stringify([failure.kind, failure.queue, failure.error, failure.next_run_seconds === null]);
    const group = groups.get(key);
    if (group) group.times += 1;
    else groups.set(key, { ...failure, times: 1 });
  }
  return [...groups.values()].slice(0, 10);
}

function failure_of(failure) {
  const soon = failure.next_run_seconds;
  const next = soon === null
    ? make("span", "bad", failure.times > 1 ? "dead letters" : "dead letter")
    : make("span", "warn", soon > 0 ? `again in ${duration(soon)}` : "again now");
  const words = [failure.queue, `job ${failure.job}`];
  if (failure.times > 1) words[1] += ` and ${count(failure.times - 1)} more`;
  words.push(`attempt ${failure.attempt} of ${failure.max_attempts}`, `${duration(failure.age_seconds)} ago`);
  return make("div", "failure",
    make("div", "row",
      make("span", "", make("span", "name", failure.kind), make("span", "quiet", ` ${words.join(" · ")}`)), next),
    make("pre", "", failure.error));
}

function show_workers(workers, self) {
  const number = (title) => ({ title, kind: "number" });
  const columns = [{ title: "Worker" }, { title: "Host" }, { title: "State" }, number("Slots"), number("Connections"),
    number("Heartbeat"), { title: "Version" }, { title: "Kinds", kind: "words" }];
  const kinds = { live: "good", dead: "bad", stopped: "quiet" };
  const living = workers.filter((worker) => worker.state === "live");
  const rows = living.concat(workers.filter((worker) => worker.state !== "live").slice(-5)).map((worker) => [
    make("b", "", worker.id === self ? `${worker.id} (this)` : worker.id), `${worker.host}:${worker.pid}`,
    make("span", kinds[worker.state], worker.state), worker.slots, worker.connections,
    `${duration(worker.heartbeat_age_seconds)} ago`, worker.version, make("span", "quiet", worker.kinds.join(", "))]);
  table(at("workers"), columns, rows, "No worker within the hour.");
}

function show_trouble(text) {
  at("trouble").hidden = !text;
  at("trouble").textContent = text ?? "";
}

function show(status) {
  const rates = remember(status);
  const { fleet } = status;
  show_self(status);
  show_tiles(status, rates);
  show_pool(status.pool);
  show_chart(rates);
  show_ended(status.jobs);
  if (fleet.queues) {
    show_queues(fleet.queues);
    list(at("batches"), fleet.batches.map(batch_of), "No batch: enqueue jobs with a batch_id to see their progress here.");
    list(at("failures"), grouped(fleet.failures).map(failure_of), "Nothing failed lately.");
    show_workers(fleet.workers, status.worker_id);
  }
  const since = fleet.queues ? `; what is below is ${duration(fleet.age_seconds)} old` : "";
  show_trouble(fleet.trouble && `The database did not answer: ${fleet.trouble}${since}.`);
}

// Asks only while somebody can see the page.
function shown() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

async function look() {
  await shown();
  try {
    const answer = await fetch("status", { signal: AbortSignal.timeout(5000) });
    show(await answer.json());
    document.body.dataset.looks = String(Number(document.body.dataset.looks ?? 0) + 1);
    // The first answer has nothing of the fleet: it asked for it.
    setTimeout(look, document.body.dataset.looks === "1" ? 150 : period);
  } catch (error) {
    at("state").className = "chip bad";
    at("state").textContent = "gone";
    show_trouble(`This worker does not answer (${error.message}). It may have stopped; what is below is from before.`);
    setTimeout(look, 2 * period);
  }
}

look();
