// Shortcuts: elements say which key they answer to. A key moves or opens; it never runs or confirms.

const SEQUENCE_MS = 1_200;
const TYPING = "input:not([type=checkbox], [type=radio], [type=button]), textarea, select, [contenteditable=true]";
const help = document.getElementById("keys-help");
let prefix = "";
let prefixTimer = 0;

function areOn() {
  try {
    return localStorage.getItem("erpops:keys") !== "off";
  } catch {
    return true;
  }
}

const scope = () => [...document.querySelectorAll("dialog[open]")].pop() ?? document;
const visible = (element) => element.checkVisibility?.() ?? element.offsetParent !== null;

function find(key) {
  const found = [...scope().querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].filter(visible);
  const near = document.activeElement?.closest("[data-step], form, dialog");
  return found.find((element) => near?.contains(element)) ?? found[0];
}

const submits = (element) => element.matches("button:not([type=button]), input[type=submit]");

function answer(element, mayPress) {
  if (element.matches(TYPING)) {
    element.focus();
    element.select?.();
  } else if (submits(element) && !(mayPress && !("arm" in element.dataset))) {
    element.focus();
  } else {
    element.click();
  }
}

function rows() {
  const list = scope().querySelector("[data-rows]");
  if (!list) return [];
  const marked = [...list.querySelectorAll("[data-row]")];
  return (marked.length ? marked : [...list.querySelectorAll("tbody tr")]).filter(visible);
}

function move(by) {
  const all = rows();
  if (!all.length) return false;
  const now = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[Math.min(all.length - 1, Math.max(0, now + by))] ?? all[0];
  const link = next.querySelector("a[href], button") ?? next;
  link.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}

function label(element) {
  return element.dataset.keyLabel ?? element.getAttribute("aria-label") ?? element.textContent.trim();
}

function entry(keys, text) {
  const row = document.createElement("div");
  row.append(document.createElement("dt"), document.createElement("dd"));
  row.firstChild.textContent = text;
  for (const key of keys.split(/[ +]/)) {
    const cap = document.createElement("kbd");
    const mod = navigator.platform.startsWith("Mac") ? "⌘" : "Ctrl";
    cap.textContent = key === "mod" ? mod : key;
    row.lastChild.append(cap, " ");
  }
  return row;
}

function fillHelp() {
  const list = help.querySelector("[data-keys-list]");
  const seen = new Set();
  list.replaceChildren(entry("?", "This list"));
  if (document.querySelector("[data-rows]")) list.append(entry("j k", "Next, previous row"), entry("Enter", "Open the row"));
  for (const element of document.querySelectorAll("[data-key]")) {
    if (seen.has(element.dataset.key) || help.contains(element)) continue;
    seen.add(element.dataset.key);
    list.append(entry(element.dataset.key, label(element)));
  }
}

function press(event) {
  if (event.key === "?" && help && !help.open) {
    fillHelp();
    help.showModal();
    return true;
  }
  const key = prefix ? `${prefix} ${event.key}` : event.key;
  prefix = "";
  const element = find(key);
  if (element) {
    answer(element, false);
    return true;
  }
  if (document.querySelector(`[data-key^="${CSS.escape(key)} "]`)) {
    prefix = key;
    clearTimeout(prefixTimer);
    prefixTimer = setTimeout(() => {
      prefix = "";
    }, SEQUENCE_MS);
    return true;
  }
  if (key === "j") return move(1);
  if (key === "k") return move(-1);
  return false;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.repeat === true && !"jk[]".includes(event.key)) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const element = find("mod+Enter");
    if (element) {
      event.preventDefault();
      answer(element, true);
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPING) || !areOn()) return;
  if (event.key.length === 1 && event.key !== " " && press(event)) event.preventDefault();
});

help?.addEventListener("sheet:open", fillHelp);

for (const toggle of document.querySelectorAll("[data-keys-toggle]")) {
  toggle.checked = areOn();
  toggle.addEventListener("change", () => {
    try {
      localStorage.setItem("erpops:keys", toggle.checked ? "on" : "off");
    } catch {
      toggle.checked = true;
    }
  });
}
