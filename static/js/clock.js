// Every running time on the page, counted from the server's clock.

const MOMENTS = "[data-elapsed], [data-countdown], [data-ago]";
const FIXED = "[data-clock], [data-date]";
let offset = 0;

const two = (number) => String(number).padStart(2, "0");
const at = (text) => new Date(text).getTime();

function sync(iso) {
  const server = at(iso);
  if (!Number.isNaN(server)) offset = server - Date.now();
}

function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${two(hours)}:${two(minutes)}`;
  if (hours) return `${hours}:${two(minutes)}:${two(seconds % 60)}`;
  return `${two(minutes)}:${two(seconds % 60)}`;
}

function ago(ms) {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ago`;
  return `${Math.floor(minutes / 1440)} d ago`;
}

const write = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

function run(element, now) {
  const { elapsed, countdown, until, budget, ahead, past } = element.dataset;
  if (elapsed) {
    const ms = (until ? at(until) : now) - at(elapsed);
    write(element, span(ms));
    if (budget) element.toggleAttribute("data-over", ms > Number(budget) * 1000);
  } else if (countdown) {
    const left = at(countdown) - now;
    write(element, left < 0 ? (past ?? `overdue ${span(-left)}`) : (ahead ?? "") + span(left + 999));
    element.toggleAttribute("data-over", left < 0 && past === undefined);
  } else {
    write(element, ago(now - at(element.dataset.ago)));
  }
  element.classList.add("clock");
}

// Making one takes longer than using it a thousand times, and its memory is not the page's to count.
const formats = new Map();

function format(shape) {
  const key = Object.keys(shape).join();
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", shape));
  return formats.get(key);
}

const written = new WeakMap();

function local(element, today) {
  const iso = element.dataset.clock || element.dataset.date;
  const last = written.get(element);
  if (last?.iso === iso && last.today === today && last.text === element.textContent) return;
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return;
  const shape = { hour: "2-digit", minute: "2-digit", hour12: false };
  if (element.dataset.clock) shape.second = "2-digit";
  if (!element.dataset.clock || time.toDateString() !== today) Object.assign(shape, { day: "numeric", month: "short" });
  if (time.getFullYear() !== new Date().getFullYear()) shape.year = "numeric";
  const text = format(shape).format(time);
  write(element, text);
  const zone = format({ dateStyle: "medium", timeStyle: "long" }).format(time);
  element.title = `${zone} · ${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  written.set(element, { iso, today, text });
}

function tick() {
  if (document.hidden) return;
  const now = Date.now() + offset;
  for (const element of document.querySelectorAll(MOMENTS)) run(element, now);
}

function all() {
  const today = new Date(Date.now() + offset).toDateString();
  for (const element of document.querySelectorAll(FIXED)) local(element, today);
  tick();
}

document.body.addEventListener("live:time", (event) => sync(event.detail.server_time));
document.addEventListener("htmx:afterSwap", all);
document.addEventListener("htmx:oobAfterSwap", all);
document.addEventListener("visibilitychange", tick);
sync(document.body.dataset.serverTime);
all();
setInterval(tick, 1_000);
