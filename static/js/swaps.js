// A live refresh never takes away what someone is using: it waits, and tries again when they are done.

const EDITABLE = "input:not([type=hidden]), textarea, select, [contenteditable=true]";
const opened = new WeakSet();
const held = new Map();
let timer = 0;
// A button that is exchanged between press and release is never clicked. The click comes after the release.
const PRESS_MS = 50;
const LONGEST_PRESS_MS = 5_000;
let pressed = 0;

addEventListener("pointerdown", () => (pressed = performance.now() + LONGEST_PRESS_MS), true);
for (const over of ["pointerup", "pointercancel"]) {
  addEventListener(over, () => (pressed = performance.now() + PRESS_MS), true);
}

document.addEventListener("click", (event) => {
  const details = event.target.closest?.("summary")?.parentElement;
  if (details) opened.add(details);
});

function selects(target) {
  const selection = getSelection();
  return Boolean(selection && !selection.isCollapsed && selection.rangeCount && selection.containsNode(target, true));
}

function isPressed() {
  return performance.now() < pressed;
}

function inUse(target) {
  const focus = document.activeElement;
  if (focus && focus !== target && target.contains(focus) && (focus.matches(EDITABLE) || !focus.id)) return true;
  for (const details of target.querySelectorAll("details[open]")) if (opened.has(details)) return true;
  return selects(target) || Boolean(target.querySelector("dialog[open]"));
}

function mustStayStill(target) {
  if (!("liveList" in target.dataset)) return false;
  const pointer = matchMedia("(hover: hover)").matches && target.matches(":hover");
  return pointer || target.contains(document.activeElement);
}

function newRows(target, html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  return [...fresh.querySelectorAll("[data-row][id]")].filter((row) => !document.getElementById(row.id)).length;
}

function offer(target, elt, html) {
  const count = newRows(target, html);
  let pill = target.previousElementSibling;
  if (!pill?.matches(".held-pill")) {
    pill = document.createElement("button");
    pill.type = "button";
    pill.className = "btn btn-sm held-pill";
    pill.addEventListener("click", () => release(target, elt));
    target.before(pill);
  }
  pill.textContent = count ? `${count} new — show` : "Updated — show";
}

function release(target, elt) {
  held.delete(target);
  if (target.previousElementSibling?.matches(".held-pill")) target.previousElementSibling.remove();
  const url = elt.getAttribute("hx-get");
  if (url && elt.isConnected) window.htmx.ajax("GET", url, { source: elt, target });
}

function hold(target, elt) {
  held.set(target, elt);
  timer ||= setInterval(() => {
    for (const [waiting, source] of held) {
      if (!waiting.isConnected) held.delete(waiting);
      else if (!isPressed() && !inUse(waiting) && !mustStayStill(waiting)) release(waiting, source);
    }
    if (!held.size) {
      clearInterval(timer);
      timer = 0;
    }
  }, 1_000);
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const { requestConfig, target, serverResponse } = event.detail;
  if (!event.detail.shouldSwap || !target) return;
  const cause = requestConfig?.triggeringEvent?.type ?? "";
  const live = cause.startsWith("live:");
  const byClock = !cause && /\bevery\b/.test(requestConfig?.elt?.getAttribute("hx-trigger") ?? "");
  if (live && mustStayStill(target)) offer(target, requestConfig.elt, serverResponse);
  else if (!((live || byClock) && isPressed()) && !(live && inUse(target))) return;
  event.detail.shouldSwap = false;
  hold(target, requestConfig.elt);
});
