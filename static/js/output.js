// The output viewer: lines arrive, the tail is followed until someone shows that they are reading.
//
// At most MOST lines are in the document. Lines that left at either end come back from the server
// (data-lines-url?before=n, ?after=n, or neither for the tail), so nothing is lost by letting go of it.
// The lines in the document have no hole: what would leave one begins the document anew.

const MOST = 2_000;
const BLOCK = 50;
const FRAME_CHARS = 8_000;
const SEAM = "</div><div";
const SEAM_AT = "</div>".length;
const BACKLOG_CHARS = 600_000;
const NEAR_PX = 400;
const viewers = new Map();

const frame = () => new Promise(requestAnimationFrame);
const numberOf = (line) => Number(line?.dataset.n ?? 0);

// `html` cut between lines, so that one frame never parses more than it can afford.
function cut(html) {
  const pieces = [];
  let from = 0;
  for (let at = html.indexOf(SEAM, FRAME_CHARS); at > 0; at = html.indexOf(SEAM, from + FRAME_CHARS)) {
    pieces.push(html.slice(from, at + SEAM_AT));
    from = at + SEAM_AT;
  }
  pieces.push(html.slice(from));
  return pieces;
}

function linesOf(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return [...template.content.querySelectorAll(".ol")];
}

// Lines stand in blocks, and a block that is out of sight is not laid out: the browser only has to know
// how high it is (output.css).
function fill(block, lines) {
  block.append(...lines);
  block.style.setProperty("--lines", block.childElementCount);
  return block;
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.log = root.querySelector("[data-output-log]");
    this.pill = root.querySelector("[data-output-follow]");
    this.tail = root.querySelector("[data-output-tail]");
    this.linesUrl = root.dataset.linesUrl;
    this.queue = [];
    this.backlog = 0;
    this.frame = 0;
    this.following = true;
    this.fetching = false;
    // The document lacks lines after its last one: they were let go, or never taken in.
    this.behind = false;
    // A block that comes into sight may turn out higher than it was taken to be.
    this.sizes = new ResizeObserver(() => this.following && this.toEnd());
    this.sizes.observe(this.log);
    this.put([...this.lines]);
    this.newest = numberOf(this.last);
    this.readUpTo = this.newest;
    this.listen();
    this.toEnd();
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
    const { log, root } = this;
    const options = { passive: true };
    log.addEventListener("wheel", (event) => (event.deltaY < 0 ? this.stop() : this.reached()), options);
    log.addEventListener("touchmove", () => this.stop(), options);
    log.addEventListener("pointerdown", (event) => {
      if (event.target === log && event.offsetX > log.clientWidth) this.stop();
    });
    log.addEventListener("keydown", (event) => {
      if (["PageUp", "ArrowUp", "Home"].includes(event.key)) this.stop();
      else if (event.key === "End") this.follow();
    });
    log.addEventListener("scroll", () => this.scrolled(), options);
    this.pill.addEventListener("click", () => this.follow());
    this.tail?.addEventListener("click", () => (this.following ? this.stop(true) : this.follow()));
    root.addEventListener("output:restyled", () => this.following && this.toEnd());
    root.addEventListener("output:hold", () => this.stop(true));
    root.addEventListener("output:show", ({ detail }) => this.show(detail.first, detail.last));
  }

  // Arrival -----------------------------------------------------------------

  take(html) {
    this.backlog += html.length;
    this.queue.push(...cut(html));
    // Only the tail will be kept, so a flood is not parsed in full.
    while (this.following && this.backlog > BACKLOG_CHARS && this.queue.length > 1) {
      this.backlog -= this.queue.shift().length;
    }
    this.flushSoon();
  }

  flushSoon() {
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  flush() {
    this.frame = 0;
    // What is being fetched comes first; what arrives meanwhile follows it.
    if (this.fetching) return;
    let budget = FRAME_CHARS;
    const batch = [];
    while (this.queue.length && budget > 0) {
      const html = this.queue.shift();
      this.backlog -= html.length;
      budget -= html.length;
      batch.push(html);
    }
    this.append(linesOf(batch.join("")));
    if (this.queue.length) this.flushSoon();
  }

  append(lines) {
    if (!lines.length) return;
    this.newest = Math.max(this.newest, numberOf(lines[lines.length - 1]));
    const full = !this.following && this.lines.length + lines.length > MOST;
    if (this.behind || full) {
      this.behind = true;
      return this.showPill();
    }
    const fresh = this.join(lines);
    const hole = this.last && fresh.length && numberOf(fresh[0]) > numberOf(this.last) + 1;
    if (hole && !this.following) {
      this.behind = true;
      return this.showPill();
    }
    if (hole) this.put(fresh);
    else this.add(fresh);
    if (this.following) {
      this.trimTop();
      this.toEnd();
    } else {
      this.showPill();
    }
    return this.drawn();
  }

  // Those of `lines` that come after the last one; a last line that was unfinished comes again, complete.
  join(lines) {
    const { last } = this;
    const end = numberOf(last);
    if (last) lines.find((line) => numberOf(line) === end && last.replaceWith(line) === undefined);
    return lines.filter((line) => numberOf(line) > end);
  }

  add(fresh) {
    const open = this.log.lastElementChild;
    const room = open?.matches(".ob") ? Math.max(0, BLOCK - open.childElementCount) : 0;
    this.log.append(...this.blocks(fresh.slice(room)));
    if (room) fill(open, fresh.slice(0, room));
  }

  blocks(lines) {
    const blocks = [];
    for (let at = 0; at < lines.length; at += BLOCK) {
      const block = document.createElement("div");
      block.className = "ob";
      blocks.push(fill(block, lines.slice(at, at + BLOCK)));
      this.sizes.observe(block);
    }
    return blocks;
  }

  put(lines) {
    this.log.replaceChildren(...this.blocks(lines));
    this.offerEarlier();
  }

  trimTop() {
    while (this.lines.length > MOST) this.lines[0].parentElement.remove();
    this.offerEarlier();
  }

  trimBottom() {
    while (this.lines.length > MOST) {
      this.last.parentElement.remove();
      this.behind = true;
    }
  }

  reset() {
    this.queue.length = this.backlog = 0;
    this.newest = this.readUpTo = 0;
    this.behind = false;
    this.put([]);
  }

  drawn() {
    this.root.dispatchEvent(new CustomEvent("output:drawn"));
  }

  // Following ---------------------------------------------------------------

  toEnd() {
    this.readUpTo = this.newest;
    this.log.scrollTop = this.log.scrollHeight;
  }

  stop(wanted = false) {
    if (!this.following || (!wanted && this.log.scrollHeight <= this.log.clientHeight)) return;
    this.following = false;
    this.readUpTo = this.newest;
    this.showPill();
  }

  // Someone scrolled down by themselves: at the very end they follow again.
  reached() {
    if (!this.following && !this.behind && this.atEnd) this.follow();
  }

  async follow() {
    if (this.behind && this.linesUrl) {
      await this.load({}, (html) => {
        this.put(linesOf(html));
        this.behind = false;
        this.newest = Math.max(this.newest, numberOf(this.last));
      });
    }
    this.following = true;
    this.pill.hidden = true;
    this.tail?.setAttribute("aria-pressed", "true");
    this.trimTop();
    this.toEnd();
    this.drawn();
  }

  showPill() {
    const count = this.newest - this.readUpTo;
    this.pill.hidden = false;
    this.pill.textContent = count > 0 ? `↓ ${count.toLocaleString("en")} new — follow` : "↓ Follow";
    this.tail?.setAttribute("aria-pressed", "false");
  }

  // Lines from the server -----------------------------------------------------

  // Fetch lines and give them to `use`; what arrives meanwhile waits.
  async load(query, use) {
    if (this.fetching || !this.linesUrl) return;
    this.fetching = true;
    try {
      const url = new URL(this.linesUrl, location.href);
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      const response = await fetch(url, { headers: { "HX-Request": "true" } });
      if (!response.ok || response.redirected) throw new Error(`lines: ${response.status}`);
      await use(await response.text());
      this.drawn();
    } catch {
      this.note("Some lines could not be loaded. Scroll to try again.");
    } finally {
      this.fetching = false;
      if (this.queue.length) this.flushSoon();
    }
  }

  scrolled() {
    if (this.following) return;
    const { scrollTop, scrollHeight, clientHeight } = this.log;
    if (scrollTop < NEAR_PX) this.earlier();
    else if (this.behind && scrollHeight - scrollTop - clientHeight < NEAR_PX) this.later();
  }

  offerEarlier() {
    const wanted = this.linesUrl && numberOf(this.lines[0]) > 1;
    const present = this.log.querySelector(".ol-earlier");
    if (!wanted) return present?.remove();
    if (present) return undefined;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "term-btn ol-earlier";
    button.textContent = "↑ Earlier lines";
    button.addEventListener("click", () => {
      this.stop(true);
      this.earlier();
    });
    this.log.prepend(button);
    return undefined;
  }

  earlier() {
    const first = numberOf(this.lines[0]);
    if (first <= 1) return undefined;
    return this.load({ before: first }, async (html) => {
      const pieces = cut(html);
      while (pieces.length) {
        await frame();
        const lines = linesOf(pieces.pop());
        const height = this.log.scrollHeight;
        this.lines[0].parentElement.before(...this.blocks(lines));
        this.offerEarlier();
        this.log.scrollTop += this.log.scrollHeight - height;
        this.trimBottom();
      }
    });
  }

  later() {
    const end = numberOf(this.last);
    // The last line may have been unfinished when it was read: it comes again.
    return this.load({ after: Math.max(0, end - 1) }, async (html) => {
      let fresh = 0;
      for (const piece of cut(html)) {
        await frame();
        const lines = this.join(linesOf(piece));
        fresh += lines.length;
        this.add(lines);
        const height = this.log.scrollHeight;
        this.trimTop();
        this.log.scrollTop -= height - this.log.scrollHeight;
      }
      this.newest = Math.max(this.newest, numberOf(this.last));
      // Only who asked and got nothing is at the end.
      this.behind = fresh > 0;
    });
  }

  // Bring lines into view, from the server if they are not in the document.
  async show(first, last) {
    this.stop(true);
    const there = (number) => this.log.querySelector(`.ol[data-n="${number}"]`);
    if (!there(first) || !there(last)) {
      await this.load({ before: Math.min(last, first + 300) + 100 }, (html) => {
        this.put(linesOf(html));
        this.newest = Math.max(this.newest, numberOf(this.last));
        this.behind = true;
      });
    }
    const line = there(first);
    if (!line) return this.note(`There is no line ${first}.`);
    const { top } = line.getBoundingClientRect();
    this.log.scrollTop += top - this.log.getBoundingClientRect().top - this.log.clientHeight / 3;
    return this.showPill();
  }

  note(text) {
    document.body.dispatchEvent(new CustomEvent("announce", { detail: { text } }));
    const status = this.root.querySelector("[data-output-status]");
    if (status) status.textContent = text;
  }
}

function find() {
  for (const root of viewers.keys()) if (!root.isConnected) viewers.delete(root);
  for (const root of document.querySelectorAll("[data-run-output]")) {
    if (viewers.has(root)) continue;
    viewers.set(root, new Viewer(root));
    root.dispatchEvent(new CustomEvent("output:ready", { bubbles: true }));
  }
}

const of = (topic) => [...viewers.values()].filter(({ root }) => `run:${root.dataset.runOutput}` === topic);

document.body.addEventListener("live:output", ({ detail }) => of(detail.topic).forEach((viewer) => viewer.take(detail.html)));
document.body.addEventListener("live:reset", ({ detail }) => of(detail.topic).forEach((viewer) => viewer.reset()));
document.addEventListener("htmx:afterSwap", find);
document.addEventListener("selectionchange", () => {
  const selection = getSelection();
  if (selection.isCollapsed) return;
  for (const viewer of viewers.values()) if (viewer.log.contains(selection.anchorNode)) viewer.stop();
});
// After the modules that follow this one: they hear of the viewers that are found.
document.addEventListener("DOMContentLoaded", find);
if (document.readyState === "complete") find();
