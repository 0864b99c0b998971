"""Times on the page: in the reader's zone, by day where it is another one, and cheap however many there are."""

from playwright.sync_api import expect

from tests.browser.scripted import Desk, Script

# Making a formatter is dear, and so is a function that makes one within.
_COUNTING = """
const made = Intl.DateTimeFormat, asked = Date.prototype.toLocaleString;
window.formatters = 0;
Intl.DateTimeFormat = function (...given) { formatters += 1; return new made(...given); };
Date.prototype.toLocaleString = function (...given) { formatters += 1; return asked.apply(this, given); };
"""


def test_a_page_with_many_times_makes_few_formatters_however_often_it_changes(desk: Desk, script: Script) -> None:
    desk.page.add_init_script(_COUNTING)
    desk.open()
    for turn in range(4):
        times = "".join(f'<time data-clock="2026-01-02T03:04:{n % 60:02}+00:00"></time>' for n in range(300))
        script.part = f'<p id="turn-{turn}">{times}</p>'
        script.changed("incident:204", [58 + turn])
        expect(desk.page.locator(f"#turn-{turn} time").last).to_contain_text("2 Jan")
    assert desk.page.evaluate("formatters") <= 8


def test_a_time_says_its_day_unless_it_is_today_and_follows_what_it_is_given(desk: Desk) -> None:
    desk.open()
    desk.page.evaluate("""() => {
        const noon = new Date();
        noon.setHours(12, 34, 56);
        part.innerHTML = `<time id="today" data-clock="${noon.toISOString()}"></time>
            <time id="date" data-date="${noon.toISOString()}"></time>
            <time id="old" data-clock="2020-05-06T07:08:09Z"></time>`;
        document.body.dispatchEvent(new CustomEvent("live:time", {detail: {server_time: noon.toISOString()}}));
        document.dispatchEvent(new CustomEvent("htmx:afterSwap"));
    }""")
    expect(desk.page.locator("#today")).to_have_text("12:34:56")
    assert "12:34" in desk.page.inner_text("#date") != "12:34"
    assert desk.page.inner_text("#old").startswith("6 May 2020")
    assert desk.page.get_attribute("#old", "title").endswith("2020-05-06 07:08:09 UTC")  # type: ignore[union-attr]
    desk.page.evaluate("""() => {
        old.dataset.clock = "2021-05-06T07:08:09Z";
        today.textContent = "as the server wrote it";
        document.dispatchEvent(new CustomEvent("htmx:afterSwap"));
    }""")
    assert desk.page.inner_text("#old").startswith("6 May 2021")
    expect(desk.page.locator("#today")).to_have_text("12:34:56")
