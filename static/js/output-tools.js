// The output viewer's own switches, which this browser remembers, and its count of silence.

const SILENT_S = 20;
const SWITCHES = { wrap: "term-wrap", times: "term-times" };
const heard = new WeakMap();

const remembered = (key) => {
  try {
    return localStorage.getItem(key) === "on";
  } catch {
    return false;
  }
};

function remember(key, on) {
  try {
    localStorage.setItem(key, on ? "on" : "off");
  } catch {
    // Storage is switched off: the choice lasts for this page.
  }
}

function apply(root, name, on) {
  root.classList.toggle(SWITCHES[name], on);
  root.querySelector(`[data-output-${name}]`)?.setAttribute("aria-pressed", String(on));
}

document.addEventListener("output:ready", ({ target: root }) => {
  heard.set(root, Date.now());
  for (const name of Object.keys(SWITCHES)) apply(root, name, remembered(`erpops:${name}`));
  root.dispatchEvent(new CustomEvent("output:restyled"));
});

document.addEventListener("click", (event) => {
  const root = event.target.closest?.("[data-run-output]");
  if (!root) return;
  for (const name of Object.keys(SWITCHES)) {
    if (!event.target.closest(`[data-output-${name}]`)) continue;
    const on = !root.classList.contains(SWITCHES[name]);
    remember(`erpops:${name}`, on);
    apply(root, name, on);
    root.dispatchEvent(new CustomEvent("output:restyled"));
  }
  const read = event.target.closest("[data-output-read]");
  if (read) {
    const log = root.querySelector("[data-output-log]");
    const on = log.getAttribute("aria-live") === "off";
    log.setAttribute("aria-live", on ? "polite" : "off");
    read.setAttribute("aria-pressed", String(on));
  }
});

const of = ({ detail }) => document.querySelectorAll(`[data-run-output="${CSS.escape(detail.topic.replace("run:", ""))}"]`);

document.body.addEventListener("live:output", (event) => of(event).forEach((root) => heard.set(root, Date.now())));
document.body.addEventListener("live:end", (event) =>
  of(event).forEach((root) => {
    root.dataset.ended = "";
  }),
);

setInterval(() => {
  for (const root of document.querySelectorAll("[data-run-output]")) {
    const silence = root.querySelector("[data-output-silence]");
    if (!silence) continue;
    const seconds = Math.floor((Date.now() - (heard.get(root) ?? Date.now())) / 1000);
    const stale = document.documentElement.classList.contains("stale");
    silence.hidden = "ended" in root.dataset || seconds < SILENT_S || stale;
    silence.textContent = `no output for ${seconds} s`;
  }
}, 1_000);
