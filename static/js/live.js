// One stream for the visible tab: cursors, reconnection, and the honest word for the connection.
//
// A topic is "kind:id" with a cursor, the highest seq that the page has seen. Events at or below the
// cursor are dropped, so a replay after a gap never shows anything twice. The cursor travels in the URL,
// because an EventSource that is built anew has forgotten its last event id.

const { body } = document;
const SILENCE_MS = 30_000;
const HIDDEN_MS = 30_000;
const POLL_MS = 5_000;
const GATHER_MS = 250;
const FIRST_WORD_MS = 8_000;
const GRACE_MS = 2_000;
const MOST_TOPICS = 20;

const pill = document.getElementById("conn");
const banner = document.getElementById("stale-banner");
const cursors = new Map();
const ended = new Set();
const known = new WeakSet();
const gathered = new Map();

let source = null;
let subscribed = "";
let announced = "";
let heardAt = 0;
let freshAt = Date.now();
let polledAt = 0;
let nextTryAt = 0;
let openedAt = 0;
let failures = 0;
let interrupted = false;
let paused = false;
let graceUntil = 0;
let lastPollAt = Date.now();
let hideTimer = 0;
let lookTimer = 0;

const say = (name, detail) => body.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));

// At most one event of a name every GATHER_MS: the first at once, the last one after the pause.
function gather(name, detail) {
  const waiting = gathered.get(name);
  if (waiting) {
    waiting.detail = detail;
    waiting.again = true;
    return;
  }
  say(name, detail);
  const entry = { again: false, detail };
  gathered.set(name, entry);
  setTimeout(() => {
    gathered.delete(name);
    if (entry.again) gather(name, entry.detail);
  }, GATHER_MS);
}

function parse(words) {
  return (words || "")
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => {
      const at = word.lastIndexOf("@");
      return at < 0 ? [word, 0] : [word.slice(0, at), Number(word.slice(at + 1)) || 0];
    });
}

// What the page shows now. Returns whether a cursor went back (an element was rendered anew, earlier).
function survey() {
  const topics = new Set();
  let rewound = false;
  for (const [topic, seq] of parse(body.dataset.topics)) {
    topics.add(topic);
    if (!cursors.has(topic)) cursors.set(topic, seq);
  }
  for (const element of document.querySelectorAll("[data-live-topic]")) {
    const ours = !("ended" in element.dataset);
    for (const [topic, seq] of parse(element.dataset.liveTopic)) {
      if (ours) topics.add(topic);
      if (known.has(element)) continue;
      if (ours) ended.delete(topic);
      if (cursors.has(topic) && seq < cursors.get(topic)) rewound = true;
      cursors.set(topic, seq);
    }
    known.add(element);
  }
  const names = [...topics].filter((topic) => !ended.has(topic)).slice(-MOST_TOPICS);
  return { names, rewound, place: document.querySelector("[data-here]")?.dataset.here ?? "page" };
}

function look() {
  lookTimer = 0;
  const { names, rewound, place } = survey();
  if (paused) return;
  const moved = place !== announced && names.some((name) => name.startsWith("here:"));
  if (rewound || moved || names.join(" ") !== subscribed) connect({ names, place });
}

function lookSoon() {
  lookTimer ||= setTimeout(look, 60);
}

function drop() {
  source?.close();
  source = null;
}

function connect({ names, place } = survey()) {
  drop();
  subscribed = names.join(" ");
  announced = place;
  if (!names.length || !body.dataset.live) return show();
  const query = names.map((topic) => `topic=${encodeURIComponent(topic)}@${cursors.get(topic) ?? 0}`).join("&");
  const stream = new EventSource(`${body.dataset.live}?${query}&at=${encodeURIComponent(place)}`);
  source = stream;
  openedAt = Date.now();
  nextTryAt = 0;
  heardAt = 0;
  const on = (name, act) =>
    stream.addEventListener(name, (event) => {
      if (stream !== source) return;
      heardAt = freshAt = Date.now();
      act(JSON.parse(event.data));
      show();
    });
  on("hello", greeted);
  on("ping", (data) => say("live:time", data));
  on("changed", changed);
  on("output", output);
  on("reset", reset);
  on("end", finished);
  stream.onerror = () => stream === source && failed();
  return show();
}

function greeted(data) {
  failures = 0;
  say("live:time", data);
  if (interrupted) {
    interrupted = false;
    say("live:resync", {});
  }
}

function isNews({ topic, seq }) {
  if (seq <= (cursors.get(topic) ?? 0)) return false;
  cursors.set(topic, seq);
  return true;
}

function spread(data) {
  gather(`live:${data.topic.split(":")[0]}`, data);
  if (data.topic.includes(":")) gather(`live:${data.topic}`, data);
}

function changed(data) {
  if (isNews(data)) spread(data);
}

function output(data) {
  if (isNews(data)) say("live:output", data);
}

// The server does not know the page's cursor: everything of the topic follows from its beginning.
function reset({ topic }) {
  cursors.set(topic, 0);
  ended.delete(topic);
  say("live:reset", { topic });
}

function finished(data) {
  // What is missing before the end is asked for again.
  if ((cursors.get(data.topic) ?? 0) < data.last) return failed();
  cursors.set(data.topic, Math.max(data.seq, cursors.get(data.topic) ?? 0));
  ended.add(data.topic);
  say("live:end", data);
  return spread(data);
}

function failed() {
  drop();
  interrupted = true;
  const wait = Math.min(15_000, 1_000 * 2 ** failures) * (1 + Math.random() * 0.3);
  failures += 1;
  nextTryAt = Date.now() + wait;
  show();
}

function stateNow(now) {
  if (!subscribed) return "idle";
  if (!navigator.onLine) return "offline";
  if (source && heardAt && now - heardAt < SILENCE_MS) return "live";
  if (now - polledAt < 2 * POLL_MS) return "polling";
  return "reconnecting";
}

const WORDS = { live: "Live", polling: "Polling", offline: "Offline", reconnecting: "Reconnecting" };

let shown = "";
function show() {
  const now = Date.now();
  const state = stateNow(now);
  const seconds = state === "reconnecting" ? Math.max(0, Math.ceil((nextTryAt - now) / 1000)) : 0;
  // Until the first word arrives there is nothing to report, and no reason to flash.
  const quiet = state === "idle" || (state === "reconnecting" && !failures && now - openedAt < 1_500);
  if (pill && !quiet && shown !== `${state}${seconds}`) {
    if (shown && !shown.startsWith(state)) say("announce", { text: `Connection: ${WORDS[state]}` });
    shown = `${state}${seconds}`;
    pill.dataset.state = state;
    pill.firstElementChild.textContent = WORDS[state];
    pill.lastElementChild.textContent = seconds ? `${seconds} s` : "";
  }
  if (pill) pill.hidden = quiet;
  setStale(state !== "idle" && !paused && now - freshAt > SILENCE_MS && now > graceUntil);
  return state;
}

function setStale(stale) {
  document.documentElement.classList.toggle("stale", stale);
  if (banner && banner.hidden === stale) {
    banner.hidden = !stale;
    const time = new Date(freshAt).toLocaleTimeString([], { hour12: false });
    banner.querySelector("[data-stale-text]").textContent =
      `Showing ${time} — not live. Commands cannot be started until the connection is back; what you type is kept.`;
  }
  for (const button of document.querySelectorAll("[data-needs-live]")) {
    if (stale !== ("stale" in button.dataset)) suspend(button, stale);
  }
}

function suspend(button, stale) {
  for (const [name, value] of [["aria-disabled", "true"], ["aria-describedby", "stale-banner"]]) {
    const kept = `stale-${name}`;
    if (stale) {
      button.setAttribute(`data-${kept}`, button.getAttribute(name) ?? "");
      button.setAttribute(name, value);
    } else {
      const before = button.getAttribute(`data-${kept}`);
      if (before) button.setAttribute(name, before);
      else button.removeAttribute(name);
      button.removeAttribute(`data-${kept}`);
    }
  }
  button.toggleAttribute("data-stale", stale);
}

function tick() {
  if (document.hidden || paused) return;
  const now = Date.now();
  const state = show();
  if (state === "idle") return;
  const silent = source && now - (heardAt || openedAt) > SILENCE_MS;
  if (silent) failed();
  else if (!source && navigator.onLine && now >= nextTryAt) connect();
  const mute = !source || (!heardAt && now - openedAt > FIRST_WORD_MS);
  if (mute && navigator.onLine && now - lastPollAt >= POLL_MS) {
    lastPollAt = now;
    say("live:poll", {});
  }
}

function hide() {
  paused = true;
  interrupted = true;
  drop();
}

function wake() {
  clearTimeout(hideTimer);
  const asleep = paused || !source || Date.now() - heardAt > SILENCE_MS / 2;
  paused = false;
  if (!asleep || !subscribed) return lookSoon();
  // What is shown is old, but a connection that comes back at once needs no alarm.
  graceUntil = Date.now() + GRACE_MS;
  interrupted = false;
  failures = 0;
  connect();
  return say("live:resync", {});
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) hideTimer = setTimeout(hide, HIDDEN_MS);
  else wake();
});
addEventListener("pageshow", (event) => event.persisted && wake());
addEventListener("pagehide", drop);
addEventListener("online", () => {
  nextTryAt = 0;
  tick();
});
addEventListener("offline", failed);

document.addEventListener("htmx:afterRequest", (event) => {
  const cause = event.detail.requestConfig?.triggeringEvent?.type;
  if (!event.detail.successful) return;
  if (cause === "live:poll" || cause === "live:resync") polledAt = freshAt = Date.now();
});

document.addEventListener(
  "click",
  (event) => {
    const button = event.target.closest?.("[data-needs-live]");
    if (!button || !("stale" in button.dataset)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    banner?.scrollIntoView({ block: "nearest" });
    say("announce", { text: banner?.textContent.trim() });
  },
  true,
);

// Not before htmx and the other modules listen: an event that nobody hears would still move the cursor.
function start() {
  new MutationObserver(lookSoon).observe(body, { childList: true, subtree: true });
  look();
  setInterval(tick, 1_000);
}

if (document.readyState === "complete") start();
else document.addEventListener("DOMContentLoaded", start);
