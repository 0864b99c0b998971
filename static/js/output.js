// The output viewer: lines arrive, the tail is followed until someone shows that they are reading.
//
// At most MOST lines are in the document. Lines that left at either end come back from the server
// (data-earlier-url?before=n, or without n for the tail), so nothing is lost by letting go of it.

const MOST = 2_000;
const BLOCK = 100;
const FRAME_CHARS = 16_000;
const SEAM = "</div><div";
const SEAM_AT = "</div>".length;
const BACKLOG_CHARS = 600_000;
const SILENT_S = 20;
const GUTTER_PX = 56;
const viewers = new Map();

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

const numberOf = (line) => Number(line?.dataset.n ?? 0);

function linesOf(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return [...template.content.querySelectorAll(".ol")];
}

// Lines stand in blocks: adding and removing then lays out a block, not two thousand lines.
function blocksOf(lines) {
  const blocks = [];
  for (let at = 0; at < lines.length; at += BLOCK) {
    const block = document.createElement("div");
    block.append(...lines.slice(at, at + BLOCK));
    blocks.push(block);
  }
  return blocks;
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.log = root.querySelector("[data-output-log]");
    this.pill = root.querySelector("[data-output-follow]");
    this.silence = root.querySelector("[data-output-silence]");
    this.earlierUrl = root.dataset.earlierUrl;
    this.queue = [];
    this.backlog = 0;
    this.frame = 0;
    this.following = true;
    this.fetching = false;
    // The document lacks lines after its last one: they were let go, or never taken in.
    this.behind = false;
    this.put([...this.lines]);
    this.newest = numberOf(this.last);
    this.readUpTo = this.newest;
    this.heardAt = Date.now();
    this.toggle("wrap", "term-wrap", remembered("erpops:wrap"));
    this.toggle("times", "term-times", remembered("erpops:times"));
    this.listen();
    this.offerEarlier();
    if (!this.showHash()) this.toEnd();
  }

  get lines() {
    return this.log.getElementsByClassName("ol");
  }

  get last() {
    return this.lines[this.lines.length - 1];
  }

  get atEnd() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 4;
  }

  listen() {
    const { log } = this;
    const options = { passive: true };
    log.addEventListener("wheel", (event) => (event.deltaY < 0 ? this.stop() : this.atEnd && this.follow()), options);
    log.addEventListener("touchmove", () => this.stop(), options);
    log.addEventListener("pointerdown", (event) => {
      if (event.target === log && event.offsetX > log.clientWidth) this.stop();
    });
    log.addEventListener("keydown", (event) => {
      if (["PageUp", "ArrowUp", "Home"].includes(event.key)) this.stop();
      else if (event.key === "End") this.follow();
    });
    log.addEventListener("scroll", () => log.scrollTop < 40 && !this.following && this.earlier(), options);
    log.addEventListener("click", (event) => this.link(event));
    this.pill.addEventListener("click", () => this.follow());
    for (const [name, cls] of [["wrap", "term-wrap"], ["times", "term-times"]]) {
      this.button(name)?.addEventListener("click", () => {
        const on = !this.root.classList.contains(cls);
        remember(`erpops:${name}`, on);
        this.toggle(name, cls, on);
      });
    }
    this.button("read")?.addEventListener("click", (event) => {
      const on = log.getAttribute("aria-live") === "off";
      log.setAttribute("aria-live", on ? "polite" : "off");
      event.currentTarget.setAttribute("aria-pressed", String(on));
    });
  }

  button(name) {
    return this.root.querySelector(`[data-output-${name}]`);
  }

  toggle(name, cls, on) {
    this.root.classList.toggle(cls, on);
    this.button(name)?.setAttribute("aria-pressed", String(on));
    if (this.following) this.toEnd();
  }

  // Arrival -----------------------------------------------------------------

  take(html) {
    this.heardAt = Date.now();
    this.backlog += html.length;
    // Cut between lines, so that one frame never parses more than it can afford.
    let rest = html;
    for (let cut = rest.indexOf(SEAM, FRAME_CHARS); cut > 0; cut = rest.indexOf(SEAM, FRAME_CHARS)) {
      this.queue.push(rest.slice(0, cut + SEAM_AT));
      rest = rest.slice(cut + SEAM_AT);
    }
    this.queue.push(rest);
    // Only the tail will be kept, so a flood is not parsed in full.
    while (this.following && this.backlog > BACKLOG_CHARS && this.queue.length > 1) {
      this.backlog -= this.queue.shift().length;
    }
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  flush() {
    this.frame = 0;
    let budget = FRAME_CHARS;
    const batch = [];
    while (this.queue.length && budget > 0) {
      const html = this.queue.shift();
      this.backlog -= html.length;
      budget -= html.length;
      batch.push(html);
    }
    this.append(linesOf(batch.join("")));
    if (this.queue.length) this.frame = requestAnimationFrame(() => this.flush());
  }

  append(lines) {
    if (!lines.length) return;
    this.newest = Math.max(this.newest, numberOf(lines[lines.length - 1]));
    const full = !this.following && this.lines.length + lines.length > MOST;
    if (this.behind || full) {
      this.behind = true;
      return this.showPill();
    }
    let { last } = this;
    const fresh = lines.filter((line) => numberOf(line) > numberOf(last));
    const rest = lines.find((line) => last && numberOf(line) === numberOf(last));
    // A line that was unfinished comes again, complete.
    if (rest) {
      last.replaceWith(rest);
      last = rest;
    }
    const open = this.log.lastElementChild;
    const room = open?.matches("div:not(.ol)") ? Math.max(0, BLOCK - open.childElementCount) : 0;
    if (room) open.append(...fresh.splice(0, room));
    this.log.append(...blocksOf(fresh));
    if (this.following) {
      this.trim();
      this.toEnd();
    } else {
      this.showPill();
    }
    return undefined;
  }

  put(lines) {
    this.log.replaceChildren(...blocksOf(lines));
  }

  trim() {
    const before = this.lines.length;
    while (this.lines.length > MOST) this.lines[0].parentElement.remove();
    if (this.lines.length < before) this.offerEarlier();
  }

  // Following ---------------------------------------------------------------

  toEnd() {
    this.readUpTo = this.newest;
    this.log.scrollTop = this.log.scrollHeight;
  }

  stop() {
    if (!this.following || this.log.scrollHeight <= this.log.clientHeight) return;
    this.following = false;
    this.readUpTo = this.newest;
    this.showPill();
  }

  async follow() {
    if (this.behind && this.earlierUrl) await this.reloadTail();
    this.following = true;
    this.pill.hidden = true;
    this.trim();
    this.toEnd();
  }

  showPill() {
    const count = this.newest - this.readUpTo;
    this.pill.hidden = false;
    this.pill.textContent = count > 0 ? `↓ ${count.toLocaleString("en")} new — follow` : "↓ Follow";
  }

  // Earlier lines -----------------------------------------------------------

  offerEarlier() {
    const wanted = this.earlierUrl && numberOf(this.lines[0]) > 1;
    const present = this.log.querySelector(".ol-earlier");
    if (!wanted) return present?.remove();
    if (present) return undefined;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "term-btn ol-earlier";
    button.textContent = "↑ Earlier lines";
    button.addEventListener("click", () => {
      this.stop();
      this.earlier();
    });
    this.log.prepend(button);
    return undefined;
  }

  async fetch(before) {
    const url = new URL(this.earlierUrl, location.href);
    if (before) url.searchParams.set("before", before);
    const response = await fetch(url, { headers: { "HX-Request": "true" } });
    if (!response.ok || response.redirected) throw new Error(`earlier lines: ${response.status}`);
    return linesOf(await response.text());
  }

  async earlier() {
    const first = this.lines[0];
    if (!this.earlierUrl || this.fetching || numberOf(first) <= 1) return;
    this.fetching = true;
    try {
      const lines = (await this.fetch(numberOf(first))).filter((line) => numberOf(line) < numberOf(first));
      const height = this.log.scrollHeight;
      first.parentElement.before(...blocksOf(lines));
      this.log.scrollTop += this.log.scrollHeight - height;
      while (this.lines.length > MOST) {
        this.last.parentElement.remove();
        this.behind = true;
      }
      if (!lines.length) this.log.querySelector(".ol-earlier")?.remove();
      else this.offerEarlier();
    } catch {
      this.note("Earlier lines could not be loaded. Scroll up to try again.");
    } finally {
      this.fetching = false;
    }
  }

  async reloadTail() {
    try {
      const lines = await this.fetch(0);
      this.put(lines);
      this.behind = false;
      this.newest = Math.max(this.newest, numberOf(this.last));
      this.offerEarlier();
    } catch {
      this.note("The newest lines could not be loaded. Try again.");
    }
  }

  // Links and words ---------------------------------------------------------

  link(event) {
    const line = event.target.closest(".ol");
    if (!line || !getSelection().isCollapsed) return;
    if (event.clientX - line.getBoundingClientRect().left > GUTTER_PX) return;
    this.stop();
    history.replaceState(history.state, "", `#L${line.dataset.n}`);
    this.mark(line);
  }

  mark(line) {
    this.log.querySelector(".here")?.classList.remove("here");
    line.classList.add("here");
  }

  showHash() {
    const wanted = Number(/^#L(\d+)$/.exec(location.hash)?.[1] ?? 0);
    if (!wanted) return false;
    this.following = false;
    this.findLine(wanted);
    return true;
  }

  async findLine(number) {
    const there = () => [...this.lines].find((line) => numberOf(line) === number);
    if (!there() && this.earlierUrl) {
      try {
        this.put(await this.fetch(number + 100));
        this.behind = true;
        this.offerEarlier();
      } catch {
        this.note("That line could not be loaded.");
      }
    }
    const line = there();
    if (line) {
      this.mark(line);
      line.scrollIntoView({ block: "center" });
    }
    this.showPill();
  }

  note(text) {
    document.body.dispatchEvent(new CustomEvent("announce", { detail: { text } }));
    const status = this.root.querySelector("[data-output-status]");
    if (status) status.textContent = text;
  }

  end() {
    this.root.dataset.ended = "";
    if (this.silence) this.silence.hidden = true;
  }

  tick() {
    if (!this.silence || "ended" in this.root.dataset) return;
    const seconds = Math.floor((Date.now() - this.heardAt) / 1000);
    this.silence.hidden = seconds < SILENT_S || document.documentElement.classList.contains("stale");
    this.silence.textContent = `no output for ${seconds} s`;
  }
}

function find() {
  for (const root of viewers.keys()) if (!root.isConnected) viewers.delete(root);
  for (const root of document.querySelectorAll("[data-run-output]")) {
    if (!viewers.has(root)) viewers.set(root, new Viewer(root));
  }
}

const of = (topic) => [...viewers.values()].filter(({ root }) => `run:${root.dataset.runOutput}` === topic);

document.body.addEventListener("live:output", ({ detail }) => of(detail.topic).forEach((viewer) => viewer.take(detail.html)));
document.body.addEventListener("live:end", ({ detail }) => of(detail.topic).forEach((viewer) => viewer.end()));
document.addEventListener("htmx:afterSwap", find);
document.addEventListener("selectionchange", () => {
  const selection = getSelection();
  if (selection.isCollapsed) return;
  for (const viewer of viewers.values()) if (viewer.log.contains(selection.anchorNode)) viewer.stop();
});
addEventListener("hashchange", () => [...viewers.values()][0]?.showHash());
setInterval(() => viewers.forEach((viewer) => viewer.tick()), 1_000);
find();
