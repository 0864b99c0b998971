"""A page of the product's own templates and scripts on a server whose stream says what a test tells it to."""

import json
import mimetypes
import queue
import threading
from collections.abc import Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.contrib.staticfiles import finders
from django.template import engines
from django.utils.safestring import mark_safe
from playwright.sync_api import BrowserContext, Page, expect

LINES_A_PAGE = 500
PAGE = """{% extends "base.html" %}{% block topics %}incident:204@57 now@3{% endblock %}
{% block heading %}Scripted{% endblock %}{% block content %}
<div id="part" hx-get="/part" hx-trigger="live:incident from:body, live:resync from:body, live:poll from:body"></div>
<ul id="list" data-live-list data-rows hx-get="/list" hx-trigger="live:now from:body">
  <li data-row id="a"><a href="#a">a</a></li><li data-row id="b"><a href="#b">b</a></li></ul>
<button id="run" class="btn" data-needs-live type="button">Run</button>
<form id="note" hx-post="/note" hx-swap="none">
  <textarea id="words" aria-label="Words" data-draft="note:1" name="words"></textarea><button id="send">Send</button>
</form>
<form hx-post="/fail" hx-swap="none"><button id="fail">Fail</button></form>
<a id="open-sheet" href="/part" data-sheet-url="/sheet" data-key="n">Sheet</a>
<a id="signed-out" href="/x" hx-get="/signed-out" hx-target="#part">Signed out</a>
<button id="update" data-key="u" form="note">Update</button>
<div id="holder">
  {% include "components/output.html" with run_id=88 seq=2 state="running" earlier_url="/lines" lines=lines only %}
</div>
{% endblock %}"""
SHEET = """<div class="sheet-frame"><h2>Drop erp-db</h2>
<form action="/note" method="post" hx-post="/note" hx-swap="none">
<input id="typed" aria-label="Name" name="typed" data-must-equal="erp-db"><div data-live-topic="run:99@4"></div>
<button id="armed" data-arm>Drop</button></form></div>"""
# Everything that the scripts say to the page, in order.
LISTENER = """
window.heard = [];
addEventListener("DOMContentLoaded", () => {
  for (const name of "incident incident:204 now resync poll end time".split(" ").map((word) => `live:${word}`))
    document.body.addEventListener(name, () => heard.push(name));
});"""


def lines(first: int, last: int, text: str = "line") -> str:
    """Rows of output, numbered `first` to `last`."""
    return "".join(f"<div class='ol' data-n='{n}'>{text} {n}</div>" for n in range(first, last + 1))


class Script:
    """The server: what it was asked (`asked`, `posts`) and what it answers (`part`, `newest`, `down`)."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.posts: list[tuple[str, str]] = []
        self.streams: list[queue.Queue[str | None]] = []
        self.reset()
        handler = type("Handler", (_Handler,), {"script": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def reset(self) -> None:
        """As at the beginning: nothing asked, all streams ended, everything answers."""
        self.cut()
        self.asked.clear()
        self.posts.clear()
        self.part = "<p>one</p>"
        self.newest = 2
        self.down = False

    def close(self) -> None:
        self.reset()
        self._server.shutdown()
        self._server.server_close()

    def say(self, event: str, **data: Any) -> None:
        """Send an event to the newest stream."""
        self.streams[-1].put(f"event: {event}\ndata: {json.dumps(data)}\n\n")

    def changed(self, topic: str, seqs: Iterable[int]) -> None:
        for seq in seqs:
            self.say("changed", topic=topic, seq=seq)

    def output(self, seq: int, first: int, last: int, text: str = "line") -> None:
        """Lines of run 88; they can be fetched as earlier lines from now on."""
        self.newest = max(self.newest, last)
        self.say("output", topic="run:88", seq=seq, html=lines(first, last, text))

    def cut(self) -> None:
        """End every stream, as a restarting server does."""
        while self.streams:
            self.streams.pop().put(None)


class _Handler(BaseHTTPRequestHandler):
    script: Script

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        return

    def answer(
        self, body: str | bytes, *, status: int = 200, kind: str = "text/html; charset=utf-8", **more: str
    ) -> None:
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **more}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        with suppress(OSError):  # the page has gone on
            self.wfile.write(data)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.script.posts.append((self.path, body))
        if self.path == "/note":
            self.answer("", HX_Trigger='{"toast": {"text": "Note saved."}}')
        else:
            self.answer("<html>boom</html>", status=500)

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        match address.path:
            case "/":
                self.answer(_page())
            case "/live":
                self.stream(query.get("topic", []))
            case "/part":
                self.answer(self.script.part)
            case "/list":
                self.answer("".join(f'<li data-row id="{n}"><a href="#{n}">{n}</a></li>' for n in "ca"))
            case "/lines":
                before = int(query.get("before", [0])[0]) or self.script.newest + 1
                first = int(query["after"][0]) + 1 if "after" in query else max(1, before - LINES_A_PAGE)
                last = self.script.newest if "after" in query else before - 1
                self.answer(lines(first, min(last, first + LINES_A_PAGE - 1)))
            case "/sheet":
                self.answer(SHEET)
            case "/signed-out":
                self.answer("", status=302, Location="/sign-in?next=/")
            case "/sign-in":
                self.answer("<p>the sign-in page</p>")
            case path:
                self.file(path)

    def file(self, path: str) -> None:
        found = finders.find(path.removeprefix("/static/"))
        if not isinstance(found, str):
            return self.answer("no such page", status=404)
        kind = mimetypes.guess_type(found)[0] or "application/octet-stream"
        return self.answer(Path(found).read_bytes(), kind=kind, Cache_Control="max-age=600")

    def stream(self, topics: list[str]) -> None:
        self.script.asked.append(topics)
        if self.script.down:
            return self.answer("not now", status=503)
        words: queue.Queue[str | None] = queue.Queue()
        words.put('event: hello\ndata: {"server_time": "2026-11-21T10:00:00+00:00"}\n\n')
        self.script.streams.append(words)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        while (word := words.get()) is not None:
            try:
                self.wfile.write(word.encode())
                self.wfile.flush()
            except OSError:
                return None
        return None


def _page() -> str:
    template = engines["django"].from_string(PAGE)
    return template.render({"theme": "light", "user_display": "Rina", "lines": mark_safe(lines(1, 2))})


class Desk:
    """A person's browser on the scripted page."""

    def __init__(self, context: BrowserContext, script: Script) -> None:
        self.script = script
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.add_init_script(LISTENER)

    def open(self, *, movable_clock: bool = False) -> None:
        """Load the page and wait until it is live. With a movable clock use `later`."""
        if movable_clock:
            self.page.clock.install()
        self.page.goto(self.script.url)
        self.wait_state("live")

    def wait_state(self, *states: str) -> None:
        self.wait(f"{list(states)}.includes(document.querySelector('#conn').dataset.state)")

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(condition, timeout=10_000)

    def later(self, seconds: float) -> None:
        """Move the page's clock; what it starts on the way happens."""
        self.page.clock.run_for(int(seconds * 1000))

    def settle(self) -> None:
        """Until everything said so far has been heard and gathered events are out (250 ms)."""
        before = self.heard("live:time")
        self.script.say("ping", server_time="2026-11-21T10:00:01+00:00")
        self.wait(f"heard.filter((name) => name === 'live:time').length > {before}")
        self.page.wait_for_timeout(300)

    def heard(self, name: str) -> int:
        """How often the scripts have dispatched the event."""
        return int(self.page.evaluate("(name) => heard.filter((each) => each === name).length", name))

    def shown(self) -> list[int]:
        """Numbers of the output lines in the document."""
        return list(self.page.evaluate("[...document.querySelectorAll('.ol')].map((line) => Number(line.dataset.n))"))

    def wait_line(self, number: int) -> None:
        """Until the last line in the document is `number`."""
        self.wait(f"[...document.querySelectorAll('.ol')].pop()?.dataset.n === '{number}'")

    def at_tail(self) -> bool:
        log = "document.querySelector('[data-output-log]')"
        return bool(self.page.evaluate(f"{log}.scrollHeight - {log}.scrollTop - {log}.clientHeight < 5"))

    def wait_topics(self, *topics: str) -> None:
        """Until the newest stream has been asked for exactly these topics, with cursors."""
        for _ in range(200):
            if self.script.asked and sorted(self.script.asked[-1]) == sorted(topics):
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"{topics} were not asked for: {self.script.asked}")

    def loses_focus(self) -> None:
        self.page.evaluate("document.activeElement.blur()")

    def expect_focus(self, selector: str) -> None:
        expect(self.page.locator(selector)).to_be_focused()
