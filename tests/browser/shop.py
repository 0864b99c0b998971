"""A shop in trouble: a production environment, two runbooks with a step of every kind, and the people who walk them.

Every state that a step or a gate can be in is reached from here; what would take minutes, or a dead worker, is
written into the database as the console would have left it.
"""

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import sign_in
from tests.browser.test_screens import Account
from tests.peers import until
from tests.stack import Stack

# Steps of the first runbook, by position.
DISK, WORKERS, ORDER, BY_HAND, FAN, FULL, STUCK, WAIT, NOTE, WIPE, BACK, VERIFY, TELL = range(13)
# Commands of WORKERS.
COUNT, LOG, MISSING = range(3)
# Steps of the second one.
SALES, DEPLOY, GREEN, CANARY, WATCH, OLD = range(6)
_TILLS = itertools.count(1)
TITLE, ROLLOUT = "The shop takes no orders", "The shop gets a new version"
DOCUMENT = f"""# Shop

## {TITLE}

**Alert**: `ShopTakesNoOrders`
**Severity**: Critical

### Immediate Actions (5 minutes)

1. **See how full the disk is**

   Everything below stops when the disk is full, so look at it first.

   ```bash
   printf 'Filesystem Size Use%% Mounted on\\n/dev/sda1   40G  97%% /\\n'
   ```

   Expected: `/dev/sda1` is below 90%

2. **Look at the order workers**

   ```bash
   # Processors
   nproc
   ```

   ```bash
   # Their log of the last minutes
   for n in $(seq 1 400); do echo "order $n took 0.2 s"; sleep 0.2; done
   ```

   ```bash
   # Lines of the last order
   cat /tmp/shop-no-such-file.log
   ```

### Diagnosis

3. **Find the order that blocks the others**

   ```bash
   grep -c "<order_id>" /etc/hosts
   ```

   ```bash
   curl -s "https://shop.internal/orders/<order_id>?from=<customer-ip>"
   ```

4. **Watch the queue by hand**

   ```bash
   psql -U shop
   ```

5. **Look at the cooling** (optional)

   The fan on the left has a red lamp when it stands still. If it turns and orders wait, see "{ROLLOUT}".

### Resolution

6. **If the disk is full**: free space
7. **If orders are stuck**: restart the workers

   ```bash
   pkill -HUP shop-orders
   ```

8. **Wait 10 minutes**

9. **Note that somebody is on it**

   ```bash
   touch /tmp/erpops-shop-note
   ```

10. **Throw the stuck queue away**

    ```bash
    rm -rf /tmp/erpops-shop-queue/<order_id>
    ```

### Rollback

11. **Put the queue back from the copy**

    ```bash
    printf 'orders-02:15.dump\\norders-01:15.dump\\n'
    ```

### Verification

- Health check returns 200
- Orders of the last minute are above 10

### Post-incident

- [ ] Tell the shop team
- [ ] Write down what the disk was full of
"""
DOCUMENT_OF_ROLLOUT = f"""# Shop

## {ROLLOUT}

### Pre-deployment

**Step 1: Ask whether anybody sells right now**

### Deployment Steps

**Step 2: Deploy (one of two ways)**

**Option A: Blue-green**

```bash
touch /tmp/erpops-shop-green
```

**Option B: Canary**

```bash
touch /tmp/erpops-shop-canary
```

**Step 3: Watch for 10 minutes**

```bash
# Errors, below 1 %
echo 0.4
```

### Rollback

**Step 4: Put the old version back**

```bash
pkill -HUP shop-orders
```
"""


@dataclass
class Shop:
    """Olga and Rina are operators, Lena is a lead, Gus may only read the status; the admin set it up."""

    console: Stack
    admin: Account
    olga: Account
    rina: Account
    lena: Account
    gus: Account
    where: str
    elsewhere: str
    annex: str

    def incident(self, title: str, *, severity: str = "SEV2", by: Account | None = None, where: str = "") -> str:
        """The address of a new room, acknowledged."""
        who = by or self.olga
        # Said twice it would be the same incident.
        told = f"{title} at till {next(_TILLS)}"
        asked = {"title": told, "severity": severity, "environment": where or self.where}
        room = who.post("/i/declare", **asked).headers["location"]
        who.post(f"{room}acknowledge")
        # What it says at once has been read.
        who.read(room)
        return room

    def walk(self, title: str = TITLE, *, runbook: str = TITLE, by: Account | None = None, **more: Any) -> str:
        """A fresh walk in a room of its own: its address, up to `step/`."""
        who = by or self.olga
        room = self.incident(title, by=who, **more)
        slug = runbook.lower().replace(" ", "-")
        return who.post(f"{room}runbooks/{slug}/start").headers["location"].split("step/")[0]

    def ran(self, walk: str, step: int, command: int = 0, *, by: Account | None = None, **form: str) -> int:
        """Run a command and wait for its end; its number."""
        number = self.started(walk, step, command, by=by, **form)
        until(lambda: self.status(number) not in {"queued", "claimed", "running"}, 30, "the end of the command")
        return number

    def started(self, walk: str, step: int, command: int = 0, *, by: Account | None = None, **form: str) -> int:
        """Ask for a command; its number."""
        who = by or self.olga

        def asked() -> int:
            who.post(f"{walk}step/{step}/command/{command}/run", **form)
            return self.latest(walk, step, command)

        return int(until(asked, 60, "a worker that takes commands"))

    def latest(self, walk: str, step: int, command: int = 0) -> int:
        found = self.rows(
            "SELECT run.id FROM runbooks_commandrun run JOIN runbooks_steprun step ON step.id = run.step_run_id"
            " WHERE step.execution_id = %s AND step.position = %s AND run.command = %s ORDER BY run.id DESC LIMIT 1",
            number_of(walk),
            step,
            command,
        )
        return int(found[0][0]) if found else 0

    def status(self, run: int) -> str:
        return str(self.rows("SELECT status FROM runbooks_commandrun WHERE id = %s", run)[0][0])

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds, or returns."""
        with psycopg.connect(self.console.services()["database_url"]) as connection:
            return connection.execute(sql, values).fetchall()

    def leave(self, run: int, status: str, **columns: object) -> None:
        """Make a command's attempt one that ended, or stands, like that."""
        named = {"status": status, "lease_until": None, **columns}
        sets = ", ".join(f"{name} = %s" for name in named)
        self._against_rules("runbooks_commandrun", f"SET {sets} WHERE id = %s", [*named.values(), run])

    def asked_earlier(self, approval: int, *columns: str, by: timedelta) -> None:
        """Move moments of an approval into the past, which the database's own rules refuse."""
        sets = ", ".join(f"{name} = {name} - %s" for name in columns)
        self._against_rules("runbooks_approval", f"SET {sets} WHERE id = %s", [*[by] * len(columns), approval])

    def _against_rules(self, table: str, change: str, values: list[object]) -> None:
        """An UPDATE that the database's own rules would refuse."""
        with psycopg.connect(self.console.services()["database_url"]) as connection:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            connection.execute(f"UPDATE {table} {change}", values)
            connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While it lasts Lena is the only lead of all."""
        others = self.rows(
            "UPDATE auth_user SET is_active = false WHERE is_active AND username <> 'lena.shop' AND id IN"
            " (SELECT member.user_id FROM auth_user_groups member JOIN auth_group role ON role.id = member.group_id"
            "  WHERE role.name = 'lead') RETURNING id"
        )
        try:
            yield
        finally:
            found = [pk for (pk,) in others]
            self.rows("UPDATE auth_user SET is_active = true WHERE id = ANY(%s) RETURNING id", found)

    def asked(self, walk: str, *, by: Account | None = None, order: str = "4711") -> int:
        """Ask for the approval of throwing the queue of `order` away; its number."""
        who = by or self.olga
        step = f"{walk}step/{WIPE}/"
        who.post(f"{step}values", **{"value:order_id": order})
        shown = re.findall(r'name="shown" value="([^"]*)"', who.read(f"{step}command/0/confirm"))
        form = {"reason": "users are affected", "target": self.target(order), "confirm": "yes", "attempt": "1"}
        who.post(f"{step}command/0/ask", shown=shown[0], **form)
        found = self.rows("SELECT max(id) FROM runbooks_approval")
        return int(found[0][0])

    def approve(self, asked: int, order: str = "4711") -> None:
        """Lena allows it."""
        answer = {"verdict": "approve", "target": self.target(order), "comment": "The copy of 02:15 is good."}
        self.lena.post(f"/approvals/{asked}/answer", **answer)

    @staticmethod
    def target(order: str = "4711") -> str:
        return f"/tmp/erpops-shop-queue/{order}"


def number_of(walk: str) -> int:
    """The execution that an address names."""
    return int(walk.rstrip("/").rpartition("/")[2])


@dataclass(frozen=True)
class _SetUp:
    """What a console keeps of the shop: who is signed in how, and where."""

    people: dict[str, StorageState]
    where: dict[str, str]


# By the address of the console: modules share it.
_SET_UP: dict[str, _SetUp] = {}
_PEOPLE = {"Olga Brandt": "Operator", "Rina Hartono": "Operator", "Lena Okafor": "Team lead", "Gus Lind": "Stakeholder"}
_PLACES = {"Shop": "on", "Shop annex": "on", "Shop test": ""}


@contextmanager
def opened(chromium: Browser, console: Stack, state: StorageState) -> Iterator[Shop]:
    """The shop on a console, ready; set up once. Its people's browsers are closed in the end."""
    admin = Account(chromium, console.url, state)
    if console.url not in _SET_UP:
        _SET_UP[console.url] = _set_up(admin, chromium, console)
    kept = _SET_UP[console.url]
    found = {name: Account(chromium, console.url, cookies) for name, cookies in kept.people.items()}
    yield Shop(
        console,
        admin,
        **found,
        where=kept.where["Shop"],
        elsewhere=kept.where["Shop test"],
        annex=kept.where["Shop annex"],
    )
    for account in (admin, *found.values()):
        account.close()


def publish(admin: Account, name: str, text: str) -> None:
    """Import a document of one runbook and publish it."""
    batch = admin.post("/r/import", name=name, text=text).headers["location"].removesuffix("clean")
    take = re.findall(r'name="take" value="([^"]+)"', admin.read(f"{batch}publish"))[0]
    admin.post(f"{batch}publish", take=take, act="publish", note="kept")


def _set_up(admin: Account, chromium: Browser, console: Stack) -> _SetUp:
    for label, production in _PLACES.items():
        name = label.lower().replace(" ", "-")
        admin.post("/environments/new", label=label, name=name, is_production=production, variables="")
    for name, text in (("shop.md", DOCUMENT), ("rollout.md", DOCUMENT_OF_ROLLOUT)):
        publish(admin, name, text)
    people = {full.split()[0].lower(): _person(admin, chromium, console, full) for full in _PEOPLE}
    page = admin.pages[1280]
    page.goto("/i/declare")
    places = page.locator("select[name=environment] option")
    where = {label: places.filter(has_text=re.compile(f"^{label}$")).get_attribute("value") or "" for label in _PLACES}
    return _SetUp(people, where)


def _person(admin: Account, chromium: Browser, console: Stack, full: str) -> StorageState:
    """Somebody new, signed in."""
    page, name = admin.pages[1280], f"{full.split(maxsplit=1)[0].lower()}.shop"
    page.goto("/people/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Full name").fill(full)
    page.locator("#id_roles").get_by_label(_PEOPLE[full]).check()
    page.get_by_role("button", name="Add and show the password").click()
    password = page.locator("#first-password").inner_text().strip()
    context = chromium.new_context(base_url=console.url)
    sign_in(context.new_page(), name, password)
    state = context.storage_state()
    context.close()
    return state


def open_sheet(page: Page, opener: str = "#run-0") -> None:
    """Press what opens a sheet, and wait for it."""
    page.locator(opener).click()
    expect(page.locator("dialog[open] h2")).to_be_visible()


def open_strip(page: Page) -> None:
    page.locator("#run-0").click()
    expect(page.locator(".confirm-strip")).to_be_visible()
