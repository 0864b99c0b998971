// Marked lines of an output: a range that is linked to (#L12-L20), copied or pinned as evidence.
//
// A click on a line number marks it, with Shift up to it. The address of the page shows the mark where
// the page is the output's own; elsewhere the copied link leads to that page.

const GUTTER_PX = 56;
const MOST_COPIED = 500;
const HASH = /^#L(\d{1,15})(?:-L(\d{1,15}))?$/;
const marks = new WeakMap();

const logOf = (root) => root.querySelector("[data-output-log]");
const barOf = (root) => root.querySelector("[data-output-marks]");
const hashOf = ({ first, last }) => (first === last ? `#L${first}` : `#L${first}-L${last}`);

function isOwnPage(root) {
  return !root.dataset.pageUrl || new URL(root.dataset.pageUrl, location.href).pathname === location.pathname;
}

function marked(root) {
  const mark = marks.get(root);
  const found = [];
  for (const line of logOf(root).getElementsByClassName("ol")) {
    const number = Number(line.dataset.n);
    if (mark && number >= mark.first && number <= mark.last) found.push(line);
  }
  return found;
}

function draw(root) {
  if (!marks.has(root) && !root.querySelector(".ol.here")) return;
  const now = new Set(marked(root));
  for (const line of [...logOf(root).getElementsByClassName("here")]) if (!now.has(line)) line.classList.remove("here");
  for (const line of now) line.classList.add("here");
}

function open(root, on) {
  const bar = barOf(root);
  if (!bar) return;
  bar.hidden = !on;
  root.querySelector("[data-output-mark]")?.setAttribute("aria-expanded", String(on));
}

function mark(root, one, other = one) {
  const range = { first: Math.min(one, other), last: Math.max(one, other) };
  marks.set(root, range);
  const bar = barOf(root);
  if (bar) {
    bar.elements.first.value = range.first;
    bar.elements.last.value = range.last;
    bar.querySelector(".term-problem").textContent = "";
  }
  open(root, true);
  draw(root);
  if (isOwnPage(root)) history.replaceState(history.state, "", hashOf(range));
}

function unmark(root) {
  marks.delete(root);
  open(root, false);
  draw(root);
  if (isOwnPage(root) && HASH.test(location.hash)) history.replaceState(history.state, "", location.pathname + location.search);
}

function showHash(root) {
  const [, first, last] = HASH.exec(location.hash) ?? [];
  if (!first || !isOwnPage(root)) return;
  mark(root, Number(first), Number(last ?? first));
  root.dispatchEvent(new CustomEvent("output:show", { detail: marks.get(root) }));
}

async function textOf(root) {
  const { first, last } = marks.get(root);
  let lines = marked(root);
  const wanted = Math.min(last, first + MOST_COPIED - 1);
  if (root.dataset.linesUrl && lines.length <= wanted - first) {
    const url = new URL(root.dataset.linesUrl, location.href);
    url.searchParams.set("after", first - 1);
    const template = document.createElement("template");
    template.innerHTML = await (await fetch(url, { headers: { "HX-Request": "true" } })).text();
    lines = [...template.content.querySelectorAll(".ol")].filter((line) => Number(line.dataset.n) <= last);
  }
  return lines.map((line) => line.textContent).join("\n");
}

const copy = (text) => document.body.dispatchEvent(new CustomEvent("copy:text", { detail: { text } }));

function ask(root) {
  if (marks.has(root)) return unmark(root);
  const lines = logOf(root).getElementsByClassName("ol");
  const number = Number(lines[lines.length - 1]?.dataset.n ?? 0);
  if (!number) return undefined;
  root.dispatchEvent(new CustomEvent("output:hold"));
  mark(root, number);
  return barOf(root)?.elements.first.select();
}

document.addEventListener("click", async (event) => {
  const root = event.target.closest?.("[data-run-output]");
  if (!root) return;
  const on = (name) => event.target.closest(`[data-output-${name}]`);
  if (on("mark")) ask(root);
  else if (on("unmark")) unmark(root);
  else if (on("link")) {
    copy(new URL(root.dataset.pageUrl || location.pathname, location.href).href + hashOf(marks.get(root)));
  } else if (on("text")) copy(await textOf(root));
  else gutter(root, event);
});

function gutter(root, event) {
  const line = event.target.closest("[data-output-log] .ol");
  if (!line || (!event.shiftKey && !getSelection().isCollapsed)) return;
  if (event.clientX - line.getBoundingClientRect().left > GUTTER_PX) return;
  const number = Number(line.dataset.n);
  const before = marks.get(root);
  root.dispatchEvent(new CustomEvent("output:hold"));
  if (event.shiftKey && before) {
    getSelection().removeAllRanges();
    mark(root, number < before.first ? before.last : before.first, number);
  } else {
    mark(root, number);
  }
}

document.addEventListener("change", ({ target }) => {
  const bar = target.closest?.("[data-output-marks]");
  if (!bar) return;
  const root = bar.closest("[data-run-output]");
  const number = Number(target.value);
  const { first, last } = bar.elements;
  if (!Number.isInteger(number) || number < 1) return;
  if (target === first && number > Number(last.value)) last.value = number;
  if (target === last && number < Number(first.value)) first.value = number;
  mark(root, Number(first.value), Number(last.value));
  root.dispatchEvent(new CustomEvent("output:show", { detail: marks.get(root) }));
});

document.addEventListener("output:ready", ({ target: root }) => {
  root.addEventListener("output:drawn", () => draw(root));
  showHash(root);
});
addEventListener("hashchange", () => document.querySelectorAll("[data-run-output]").forEach(showHash));
