"""A feed's page in a real browser: by mouse, by keyboard, on a phone, or in a frame."""

from __future__ import annotations

import functools
import http.server
import itertools
import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from support.installation import event
from support.paths import JS
from support.server import KalendsServer

AXE = JS / "node_modules" / "axe-core" / "axe.min.js"
USER, PASSWORD = "alice", "wonderland"
FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"

[feed.open]
title = "Choir of St. Mary"
calendars = ["*/*"]
access = "public"
embed = "*"
components = ["VEVENT", "VTODO"]

[feed.closed]
calendars = ["*/*"]
access = "public"
timezone = "Europe/Vienna"
"""
DAY = "2026-03-04"
VIEWS = ["month", "week", "day", "agenda"]


def all_day(uid: str, first: str, until: str, summary: str) -> bytes:
    body = event(uid, "20260101T000000Z", summary=summary)
    return body.replace(
        b"DTSTART:20260101T000000Z\r\nDURATION:PT1H",
        f"DTSTART;VALUE=DATE:{first}\r\nDTEND;VALUE=DATE:{until}".encode(),
    )


def fill(server: KalendsServer) -> None:
    long = "A title that is by far too long for any place on the page"
    bodies = [
        all_day("tour", "20260303", "20260306", "Concert tour"),
        all_day("fair", "20260306", "20260316", "Fair"),
        event("a", "20260304T090000Z", "RRULE:FREQ=WEEKLY", "LOCATION:Hall", summary="Rehearsal"),
        event("b", "20260304T093000Z", "STATUS:TENTATIVE", summary=long),
        event("c", "20260304T093000Z", "STATUS:CANCELLED", summary="Called off"),
        event("x", "20260304T150000Z", summary='<script>document.title="x"</script>'),
        event("night", "20260307T233000Z", summary="Night"),
        event("now", f"{datetime.now(UTC):%Y%m%dT%H}0000Z", summary="Now"),
    ]
    bodies += [event(f"w{n}", f"20260305T{8 + n:02}0000Z", summary=f"Part {n}") for n in range(9)]
    for number, body in enumerate(bodies):
        path = f"/{USER}/calendar/{number}.ics"
        assert server.request("PUT", path, user=USER, body=body).status == 201
    task = event("task", "20260310T090000Z", summary="Task").replace(b"VEVENT", b"VTODO")
    assert server.request("PUT", f"/{USER}/tasks/1.ics", user=USER, body=task).status == 201
    color = (
        '<propertyupdate xmlns="DAV:"><set><prop>'
        '<calendar-color xmlns="http://apple.com/ns/ical/">#ffcc00ff</calendar-color>'
        "</prop></set></propertyupdate>"
    )
    answer = server.request("PROPPATCH", f"/{USER}/calendar/", user=USER, body=color)
    assert answer.status == 207


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KalendsServer]:
    folder = tmp_path_factory.mktemp("pages") / "server"
    running = KalendsServer(folder, users={USER: PASSWORD}, feeds=FEEDS, workers=1)
    fill(running)
    yield running
    running.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Chromium does not start as root with its sandbox.
        running = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield running
        running.close()


@contextmanager
def opened(browser: Browser, **options: Any) -> Iterator[Page]:
    """Open a page of a browser in UTC; browser errors fail the test."""
    context: BrowserContext = browser.new_context(**{"timezone_id": "UTC", **options})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def violations(page: Page) -> list[str]:
    """Return axe's serious findings; it runs in an isolated world because of the page's policy."""
    session = page.context.new_cdp_session(page)
    session.send("Page.enable")
    world = session.send(
        "Page.createIsolatedWorld",
        {"frameId": session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]},
    )["executionContextId"]
    session.send("Runtime.evaluate", {"expression": AXE.read_text(), "contextId": world})
    ran = session.send(
        "Runtime.evaluate",
        {
            "expression": "axe.run(document).then(r => JSON.stringify(r.violations))",
            "contextId": world,
            "awaitPromise": True,
        },
    )
    found = json.loads(ran["result"]["value"])
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 375)])
def test_axe_finds_nothing_serious_in_any_view(
    browser: Browser, server: KalendsServer, scheme: Any, width: int
) -> None:
    with opened(browser, color_scheme=scheme, viewport={"width": width, "height": 800}) as page:
        for view in VIEWS:
            page.goto(f"{server.url}feeds/open/?view={view}&date={DAY}")
            assert violations(page) == [], view
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{view} is {wide} wide"
        page.get_by_text("Subscribe", exact=True).click()
        assert violations(page) == []
        page.goto(f"{server.url}feeds/open/?view=agenda&date={DAY}")
        page.get_by_role("link", name="Concert tour").first.click()
        expect(page.get_by_role("heading", name="Concert tour")).to_be_visible()
        assert violations(page) == []


def test_no_name_of_a_view_is_wrapped(browser: Browser, server: KalendsServer) -> None:
    with opened(browser) as page:
        page.goto(f"{server.url}feeds/open/?date={DAY}")
        for width in range(320, 1300, 40):
            page.set_viewport_size({"width": width, "height": 700})
            heights = page.evaluate(
                "[...document.querySelectorAll('.views a')].map(a => a.offsetHeight)"
            )
            assert set(heights) == {30}, width
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_title_is_text(browser: Browser, server: KalendsServer) -> None:
    with opened(browser) as page:
        page.goto(f"{server.url}feeds/open/?date={DAY}")
        page.get_by_text('<script>document.title="x"</script>').first.click()
        heading = page.get_by_role("heading", level=1)
        expect(heading).to_have_text('<script>document.title="x"</script>')
        assert page.title() != "x"


def test_a_keyboard_is_enough(browser: Browser, server: KalendsServer) -> None:
    with opened(browser) as page:
        page.goto(f"{server.url}feeds/open/?date={DAY}")

        def tab_to(name: str) -> None:
            for _ in range(80):
                page.keyboard.press("Tab")
                if page.evaluate("document.activeElement.innerText").strip() == name:
                    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                    assert outline != "none"
                    return
            pytest.fail(f"no way to {name}")

        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.innerText") == "Skip to the events"
        tab_to("Subscribe")
        page.keyboard.press("Enter")
        tab_to("Open in a calendar program")
        page.keyboard.press("Escape")
        expect(page.get_by_text("Open in a calendar program")).to_be_hidden()
        assert page.evaluate("document.activeElement.innerText") == "Subscribe"
        tab_to("Week")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="2 – 8 March 2026")).to_be_visible()
        page.locator("#what").focus()
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.innerText").startswith("Rehearsal"):
                break
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Rehearsal")).to_be_visible()


def test_the_page_works_without_scripts(browser: Browser, server: KalendsServer) -> None:
    with opened(browser, java_script_enabled=False) as page:
        page.goto(f"{server.url}feeds/open/?date={DAY}")
        period = page.locator(".period")
        page.get_by_role("link", name="Next month").click()
        expect(period).to_have_text("April 2026")
        page.get_by_role("link", name="Previous month").click()
        expect(period).to_have_text("March 2026")
        page.locator("input[type=date]").fill("2027-02-01")
        page.get_by_role("button", name="Go").click()
        expect(period).to_have_text("February 2027")
        page.get_by_role("link", name="Today").click()
        expect(page.locator(".day.today")).to_be_visible()
        expect(page.locator(".what", has_text="Now").first).to_be_visible()
        page.goto(f"{server.url}feeds/open/?date={DAY}")
        page.get_by_role("link", name="more on 5 March 2026").click()
        expect(period).to_have_text("Thursday, 5 March 2026")
        expect(page.locator(".block")).to_have_count(9)
        page.get_by_text("Subscribe", exact=True).click()
        expect(page.locator("svg.qr")).to_be_visible()
        href = page.get_by_role("link", name="Open in a calendar program").get_attribute("href")
        assert href == f"webcal://127.0.0.1:{server.port}/feeds/open.ics"
        assert page.locator("#address").input_value() == f"{server.url}feeds/open.ics"


def test_a_bar_covers_its_days_and_blocks_that_overlap_are_side_by_side(
    browser: Browser, server: KalendsServer
) -> None:
    def box(locator: Any) -> dict[str, float]:
        found: dict[str, float] = locator.bounding_box()
        return found

    with opened(browser, viewport={"width": 1280, "height": 900}) as page:
        page.goto(f"{server.url}feeds/open/?date={DAY}")
        bar = box(page.locator(".bar", has_text="Concert tour"))
        third, fifth = (
            box(page.locator(".week .day", has=page.locator(f"[datetime='2026-03-0{n}']")))
            for n in (3, 5)
        )
        assert abs(bar["x"] - third["x"]) < 2
        assert abs(bar["x"] + bar["width"] - fifth["x"] - fifth["width"]) < 2
        assert page.locator(".bar", has_text="Fair").count() == 2
        page.goto(f"{server.url}feeds/open/?view=week&date={DAY}")
        boxes = [
            box(page.locator(".block", has_text=name))
            for name in ("Rehearsal", "A title", "Called off")
        ]
        boxes.sort(key=lambda one: one["x"])
        for left, right in itertools.pairwise(boxes):
            assert left["x"] + left["width"] <= right["x"] + 1
        page.goto(f"{server.url}feeds/open/?view=day&date=2026-03-08")
        night = box(page.locator(".block", has_text="Night"))
        hours = box(page.locator(".column"))
        assert abs(night["y"] - hours["y"]) < 2  # it began on the day before


def test_a_task_has_its_box_beside_its_title(browser: Browser, server: KalendsServer) -> None:
    with opened(browser) as page:
        page.goto(f"{server.url}feeds/open/?view=week&date=2026-03-10")
        block = page.locator(".block", has_text="Task")
        bottom = {}
        for part in (".box", ".what", ".time", "a"):
            box: Any = block.locator(part).bounding_box()
            bottom[part] = box["y"] + box["height"]
        assert bottom[".box"] <= bottom[".what"]
        assert bottom[".time"] <= bottom["a"] + 1


def test_times_can_be_shown_in_the_readers_zone(browser: Browser, server: KalendsServer) -> None:
    with opened(browser, timezone_id="Asia/Tokyo") as page:
        page.goto(f"{server.url}feeds/open/?view=agenda&date=2026-03-08")
        # The feed has no zone of its own, so the page uses the reader's.
        page.wait_for_url("**tz=Asia%2FTokyo**")
        expect(page.locator(".zone")).to_contain_text("Times in Asia/Tokyo (UTC+9)")
        expect(page.locator("li", has_text="Night")).to_contain_text("08:30 – 09:30")
        page.goto(f"{server.url}feeds/closed/?view=agenda&date=2026-03-08")
        expect(page.locator(".zone")).to_contain_text("Times in Europe/Vienna")
        page.get_by_role("link", name="Show in Asia/Tokyo").click()
        expect(page.locator(".zone")).to_contain_text("Times in Asia/Tokyo")


@pytest.mark.parametrize(("name", "notes"), [("Etc/Unknown", 0), ("Mars/Olympus", 1)])
def test_a_reader_with_an_unknown_zone_sees_the_feeds_own(
    browser: Browser, server: KalendsServer, name: str, notes: int
) -> None:
    with opened(browser) as page:
        page.add_init_script(
            "const real = Intl.DateTimeFormat.prototype.resolvedOptions;"
            "Intl.DateTimeFormat.prototype.resolvedOptions = function () {"
            f"return {{...real.call(this), timeZone: '{name}'}}; }};"
        )
        page.goto(f"{server.url}feeds/open/?date={DAY}")
        if notes:
            page.wait_for_url("**tz=**")
        expect(page.locator(".zone")).to_contain_text("Times in UTC")
        expect(page.get_by_text("is not a known time zone")).to_have_count(notes)
        page.get_by_role("link", name="Next month").click()
        expect(page.locator(".period")).to_have_text("April 2026")


def test_the_address_is_copied(browser: Browser, server: KalendsServer) -> None:
    with opened(browser, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(f"{server.url}feeds/open/?date={DAY}")
        page.get_by_text("Subscribe", exact=True).click()
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == f"{server.url}feeds/open.ics"


def test_a_line_shows_the_current_time(browser: Browser, server: KalendsServer) -> None:
    with opened(browser) as page:
        page.goto(f"{server.url}feeds/open/?view=day")
        line = page.locator(".now")
        expect(line).to_have_count(1)
        now = datetime.now(ZoneInfo("UTC"))
        shown = int(line.evaluate("line => line.style.getPropertyValue('--t')"))
        assert abs(shown - now.hour * 60 - now.minute) <= 1 or timedelta(minutes=shown) < (
            timedelta(minutes=2)
        )


def test_buttons_are_not_printed(browser: Browser, server: KalendsServer) -> None:
    with opened(browser) as page:
        for view in VIEWS:
            page.goto(f"{server.url}feeds/open/?view={view}&date={DAY}")
            page.emulate_media(media="print", color_scheme="dark")
            expect(page.locator(".period")).to_be_visible()
            expect(page.get_by_text("Rehearsal").first).to_be_visible()
            for control in (".subscribe", ".steps", ".ways"):
                expect(page.locator(control)).to_be_hidden()
            paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert paper == "rgb(255, 255, 255)"
            assert page.pdf().startswith(b"%PDF")


@contextmanager
def site(folder: Path, frames: list[str]) -> Iterator[str]:
    """Serve a web site with a page that shows others in frames."""
    text = "".join(f'<iframe src="{src}" width="800" height="700"></iframe>' for src in frames)
    (folder / "index.html").write_text(f"<!doctype html><title>x</title>{text}")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()


def test_another_site_can_embed_the_page_if_the_definition_allows_it(
    browser: Browser, server: KalendsServer, tmp_path: Path
) -> None:
    pages = [f"{server.url}feeds/{feed}/?date={DAY}&embed=1" for feed in ("open", "closed")]
    with site(tmp_path, pages) as address:
        context = browser.new_context(timezone_id="UTC")
        page = context.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        page.goto(address)
        shown, kept_out = (page.frame_locator("iframe").nth(n) for n in (0, 1))
        expect(shown.get_by_text("Concert tour")).to_be_visible()
        shown.get_by_role("link", name="Week").click()
        expect(shown.get_by_text("2 – 8 March 2026")).to_be_visible()
        shown.get_by_role("link", name=re.compile("Rehearsal")).click()
        expect(shown.get_by_role("heading", name="Rehearsal")).to_be_visible()
        expect(kept_out.get_by_text("Concert tour")).to_have_count(0)
        assert any("frame-ancestors" in text for text in refused)
        context.close()


def test_the_page_of_an_owners_feed_says_that_programs_need_a_login(
    browser: Browser, server: KalendsServer
) -> None:
    login: Any = {"username": USER, "password": PASSWORD}
    with opened(browser, http_credentials=login) as page:
        page.goto(f"{server.url}feeds/{USER}/?date={DAY}")
        expect(page.get_by_text("Concert tour")).to_be_visible()
        page.get_by_text("Subscribe", exact=True).click()
        expect(page.get_by_text("It will ask for your login.")).to_be_visible()
