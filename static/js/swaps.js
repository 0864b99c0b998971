// A live refresh never takes away what someone is using: it waits, and tries again when they are done.

const EDITABLE = "input:not([type=hidden]), textarea, select, [contenteditable=true]";
const opened = new WeakSet();
const held = new Map();
let timer = 0;

document.addEventListener("click", (event) => {
  const details = event.target.closest?.("summary")?.parentElement;
  if (details) opened.add(details);
});

function selects(target) {
  const selection = getSelection();
  return Boolean(selection && !selection.isCollapsed && selection.rangeCount && selection.containsNode(target, true));
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
      else if (!inUse(waiting) && !mustStayStill(waiting)) release(waiting, source);
    }
    if (!held.size) {
      clearInterval(timer);
      timer = 0;
    }
  }, 1_000);
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const { requestConfig, target, serverResponse } = event.detail;
  const cause = requestConfig?.triggeringEvent?.type ?? "";
  if (!event.detail.shouldSwap || !cause.startsWith("live:") || !target) return;
  if (mustStayStill(target)) offer(target, requestConfig.elt, serverResponse);
  else if (!inUse(target)) return;
  event.detail.shouldSwap = false;
  hold(target, requestConfig.elt);
});
