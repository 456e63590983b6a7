"""The account page in a real browser: by mouse, by keyboard alone, and without scripts."""

from __future__ import annotations

import io
import plistlib
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, Route, expect

from support.browser import accessibility_violations, chromium, collect_console_errors
from support.installation import event
from support.server import KalendsServer

FEEDS = """
[feed."{user}"]
title = "All of {user}"
calendars = ["{user}/*"]
access = "owner"

[feed.family]
title = "Family <script>alert(1)</script>"
calendars = ["alice/*", "bob/*"]
access = ["alice", "bob"]
"""
USERS = {"alice": "wonderland", "bob": "builder"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # A name other than localhost: plain http to it is not a secure context.
    with chromium("--host-resolver-rules=MAP plain.example 127.0.0.1") as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KalendsServer]:
    running = KalendsServer(tmp_path_factory.mktemp("page") / "server", users=USERS, feeds=FEEDS)
    yield running
    running.close()


@contextmanager
def visited(
    browser: Browser,
    server: KalendsServer,
    user: str = "alice",
    host: str = "",
    status: str = "none",
    **more: object,
) -> Iterator[Page]:
    """Open the page, for a user who logs in by the browser's own dialog.

    Browser errors fail the test, except for an answer of this status.
    """
    context: BrowserContext = browser.new_context(
        http_credentials={"username": user, "password": USERS[user]},
        **more,  # type: ignore[arg-type]
    )
    page = context.new_page()
    said = collect_console_errors(page)
    url = server.url.replace("127.0.0.1", host) if host else server.url
    page.goto(f"{url}.web/account/")
    yield page
    context.close()
    assert [one for one in said if f"status of {status}" not in one] == []


def secret_of(page: Page, title: str) -> str:
    feed = page.locator("article.feed", has_text=title)
    address = feed.locator(".field", has_text="Your secret address").locator("code").inner_text()
    return "/" + address.split("/", 3)[3]


def ics(name: str, *uids: str) -> FilePayload:
    data = b"".join(event(uid) for uid in uids)
    return {"name": name, "mimeType": "text/calendar", "buffer": data}


def open_all(page: Page) -> None:
    """Open all `details` elements."""
    page.evaluate("""() => {
        for (const one of document.querySelectorAll("details")) {
            one.removeAttribute("name");  // which lets one of them be open at a time
            one.open = true;
        }
    }""")


def test_axe_finds_no_violations(browser: Browser, server: KalendsServer) -> None:
    with visited(browser, server) as page:
        open_all(page)
        assert accessibility_violations(page) == []
    for more in ({"color_scheme": "dark"}, {"viewport": {"width": 360, "height": 740}}):
        with visited(browser, server, **more) as page:
            assert accessibility_violations(page) == []
            wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert not wide, "the page is wider than the screen"


def test_no_name_makes_the_page_wider_than_a_phone(browser: Browser, tmp_path: Path) -> None:
    name = "anastasia.maximiliane.mustermann@beispielunternehmen.example"
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    groups = tmp_path / "groups"
    groups.write_text(f"{'g' * 60}: {name}\n")
    server = KalendsServer(
        tmp_path / "server",
        users={name: "secret"},
        feeds=f'[feed.{"f" * 60}]\ntitle = "{word}"\ncalendars = ["*/*"]\naccess = "login"\n',
        options={"auth": {"htgroup_filename": str(groups)}},
    )
    try:
        for number, title in enumerate(("Feiertage und Schulferien in Niedersachsen 2026", word)):
            made = server.request(
                "MKCALENDAR",
                f"/{name}/{number}/",
                user=name,
                body='<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set>'
                f"<D:prop><D:displayname>{title}</D:displayname></D:prop></D:set></C:mkcalendar>",
            )
            assert made.status == 201
            context = browser.new_context(
                http_credentials={"username": name, "password": "secret"},
                viewport={"width": 320, "height": 740},
            )
            page = context.new_page()
            page.goto(f"{server.url}.web/account/")
            open_all(page)
            page.locator("#file").set_input_files(ics(f"{word}.ics", f"wide-{number}"))
            page.get_by_role("button", name="Import").click()
            expect(page.locator(".results .result")).to_have_count(1)
            assert page.evaluate("document.documentElement.scrollWidth") == 320, title
            context.close()
    finally:
        server.close()


def test_an_address_is_copied(browser: Browser, server: KalendsServer) -> None:
    with visited(browser, server, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.locator("summary", has_text="DAVx").click()
        page.get_by_role("button", name="Copy Base URL").click()
        expect(page.get_by_role("button", name="Copied Base URL")).to_be_visible()
        expect(page.locator("#status")).to_have_text("Base URL copied")
        assert page.evaluate("navigator.clipboard.readText()") == f"{server.url}alice/"


def test_an_address_is_copied_where_the_browser_has_no_clipboard_for_pages(
    browser: Browser, server: KalendsServer
) -> None:
    with visited(browser, server, host="plain.example") as page:
        assert not page.evaluate("isSecureContext")
        page.get_by_role("button", name="Copy Address of Calendar").click()
        expect(page.locator("#status")).to_have_text("Address of Calendar copied")
        page.evaluate("""() => {
            const field = document.createElement("input");
            field.id = "probe";
            document.body.append(field);
            field.focus();
        }""")
        page.keyboard.press("Control+V")
        value = page.locator("#probe").input_value()
        assert value == f"http://plain.example:{server.port}/alice/calendar/"


def drop(page: Page, place: str, name: str, *texts: bytes) -> None:
    """Drop a file on what the selector ``place`` finds."""
    page.evaluate(
        """([place, name, texts]) => {
            const carried = new DataTransfer();
            carried.items.add(new File(texts, name, {type: "text/calendar"}));
            for (const kind of ["dragenter", "dragover", "drop"]) {
                document.querySelector(place).dispatchEvent(new DragEvent(
                    kind, {dataTransfer: carried, bubbles: true, cancelable: true}));
            }
        }""",
        [place, name, [text.decode() for text in texts]],
    )


def test_a_dropped_file_is_imported_and_refused_objects_are_listed(
    browser: Browser, server: KalendsServer
) -> None:
    bad = event("broken").replace(b"DTSTART:2026", b"DTSTART:never")
    with visited(browser, server) as page:
        drop(page, ".drop", "export.ics", event("dropped"), bad)
        result = page.locator(".results .result")
        expect(result).to_contain_text("1 new in Calendar.")
        expect(result).to_be_focused()
        line = 1 + event("dropped").count(b"\n") + bad[: bad.index(b"DTSTART")].count(b"\n")
        expect(result.locator(".refused li")).to_contain_text(f"line {line}")
        expect(page.locator(".going")).to_be_hidden()
        assert accessibility_violations(page) == []
    assert server.request("GET", "/alice/calendar/dropped.ics", user="alice").status == 200


def test_several_files_are_imported_one_after_the_other(
    browser: Browser, server: KalendsServer
) -> None:
    with visited(browser, server) as page:
        page.locator("#into").select_option(label="Calendar")
        page.locator("#file").set_input_files([ics("a.ics", "one"), ics("b.ics", "two")])
        page.get_by_role("button", name="Import").click()
        expect(page.locator(".results .result")).to_have_count(2)
        page.locator("#file").set_input_files(
            {"name": "c.ics", "mimeType": "text/calendar", "buffer": b"nonsense"}
        )
        page.get_by_role("button", name="Import").click()
        expect(page.locator(".results .result").first).to_contain_text("Nothing was imported")
    for uid in ("one", "two"):
        assert server.request("GET", f"/alice/calendar/{uid}.ics", user="alice").status == 200


def test_files_added_during_an_upload_go_to_the_collection_chosen_then(
    browser: Browser, server: KalendsServer
) -> None:
    server.request("MKCALENDAR", "/bob/work/", user="bob")
    with visited(browser, server, user="bob") as page:
        held: list[Route] = []
        # The first one waits, those after it go at once.
        page.route("**/import", lambda route: route.continue_() if held else held.append(route))
        field, into = page.locator("#file"), page.locator("#into")
        press = page.get_by_role("button", name="Import")
        into.select_option("bob/calendar")
        field.set_input_files([ics("a.ics", "q-a"), ics("b.ics", "q-b")])
        press.click()
        expect(page.locator(".phase")).to_have_text("Sending a.ics … Then 1 more.")
        into.select_option("bob/work")
        drop(page, ".drop", "c.ics", event("q-c"))
        field.set_input_files(ics("d.ics", "q-d"))
        press.click()
        expect(page.locator(".phase")).to_have_text("Sending a.ics … Then 3 more.")
        expect(page.locator("#status")).to_have_text("Waiting: d.ics")
        into.select_option("bob/calendar")
        held[0].continue_()
        results = page.locator(".results .result")
        expect(results).to_have_count(4)
        assert [text.split("\n")[0] for text in results.all_inner_texts()] == [
            "d.ics",
            "c.ics",
            "b.ics",
            "a.ics",
        ]
        expect(page.locator(".going")).to_be_hidden()
    for place in ("calendar/q-a", "calendar/q-b", "work/q-c", "work/q-d"):
        assert server.request("GET", f"/bob/{place}.ics", user="bob").status == 200, place


def test_a_file_may_be_dropped_only_on_the_form(
    browser: Browser, server: KalendsServer, tmp_path: Path
) -> None:
    file, folder = tmp_path / "beside.ics", tmp_path / "exported"
    file.write_bytes(event("beside"))
    folder.mkdir()
    with visited(browser, server) as page:
        mouse = page.context.new_cdp_session(page)
        page.evaluate("""() => {
            window.effects = [];
            addEventListener("dragover", (event) => effects.push(event.dataTransfer.dropEffect));
        }""")

        def drag(path: Path, place: str) -> None:
            """Drag by the browser's protocol, which takes files from the disk."""
            page.locator(place).scroll_into_view_if_needed()
            box = page.locator(place).bounding_box()
            assert box
            data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
            for kind in ("dragEnter", "dragOver", "drop"):
                at = {"type": kind, "x": box["x"] + 5, "y": box["y"] + 5, "data": data}
                mouse.send("Input.dispatchDragEvent", at)

        results = page.locator(".results .result")
        drag(file, "#import-title")
        assert page.evaluate("effects").pop() == "none"
        drag(file, "form.import")
        expect(results).to_have_count(1)
        expect(results).to_contain_text("1 new in Calendar.")
        assert page.evaluate("effects").pop() == "copy"
        drag(folder, ".drop")
        expect(results).to_have_count(2)
        expect(results.first).to_contain_text("exported")
        expect(results.first).to_contain_text("This is a folder.")


def test_the_progress_of_a_large_upload_is_shown(
    browser: Browser, server: KalendsServer, tmp_path: Path
) -> None:
    large = tmp_path / "large.ics"
    # Few events with much text, because the test is about the transfer.
    large.write_bytes(
        b"".join(
            event(f"large-{number}", "20260105T090000Z", "DESCRIPTION:" + "x" * 500_000)
            for number in range(20)
        )
    )
    assert large.stat().st_size > 10_000_000
    with visited(browser, server) as page:
        page.evaluate("""() => {
            window.seen = [];
            const progress = document.getElementById("progress");
            new MutationObserver(() => window.seen.push(progress.value)).observe(
                progress, {attributes: true});
        }""")
        # Slow enough for progress to be seen.
        slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 8e6}
        page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
        page.locator("#file").set_input_files(large)
        page.get_by_role("button", name="Import").click()
        expect(page.locator(".results .result")).to_contain_text("20 new", timeout=60_000)
        assert any(0 < value < 1 for value in page.evaluate("window.seen"))


def test_a_secret_is_renewed_by_keyboard(browser: Browser, server: KalendsServer) -> None:
    with visited(browser, server) as page:

        def tab_to(name: str) -> None:
            for _ in range(120):
                page.keyboard.press("Tab")
                if page.evaluate("document.activeElement.textContent").startswith(name):
                    return
            raise AssertionError(f"no way to {name} by Tab")

        feed = page.locator("article.feed", has_text="Family")
        secret = feed.locator(".field", has_text="Your secret address")
        tab_to("Thunderbird")
        page.keyboard.press("Enter")
        expect(page.locator("#with-thunderbird .fields").first).to_be_visible()
        page.locator("article.feed", has_text="All of alice").locator("h3").click()
        tab_to("Make a secret address of Family")
        page.keyboard.press("Enter")
        expect(page.locator(".note.good")).to_contain_text("has this secret address now")
        old = secret_of(page, "Family")
        assert server.request("GET", old).status == 200
        tab_to("Renew the secret address")
        page.keyboard.press("Enter")
        tab_to("Renew it now")
        page.keyboard.press("Enter")
        expect(secret.locator("code")).not_to_contain_text(old.split("/")[3])
        new = secret_of(page, "Family")
        assert server.request("GET", old).status == 404
        assert server.request("GET", new).status == 200
        assert page.locator("script:not([src])").count() == 0
        assert accessibility_violations(page) == []


def test_everything_works_without_scripts(browser: Browser, server: KalendsServer) -> None:
    with visited(browser, server, user="bob", java_script_enabled=False) as page:
        expect(page.locator("button.copy").first).to_be_hidden()
        page.locator("#file").set_input_files(ics("plain.ics", "unscripted"))
        page.get_by_role("button", name="Import").click()
        expect(page.locator("h1")).to_have_text("plain.ics")
        expect(page.locator(".note")).to_contain_text("1 new in Calendar.")
        page.get_by_role("link", name="To your account page").click()
        page.locator("article.feed", has_text="All of bob").get_by_role(
            "button", name=re.compile("Make a secret")
        ).click()
        first = secret_of(page, "All of bob")
        feed = page.locator("article.feed", has_text="All of bob")
        feed.locator("summary").click()
        feed.get_by_role("button", name=re.compile("Renew it now")).click()
        assert secret_of(page, "All of bob") != first


def test_without_scripts_and_tls_a_form_still_has_its_origin(
    browser: Browser, server: KalendsServer
) -> None:
    with visited(
        browser, server, user="bob", host="plain.example", java_script_enabled=False
    ) as page:
        page.locator("#file").set_input_files(ics("far.ics", "far"))
        page.get_by_role("button", name="Import").click()
        expect(page.locator(".note")).to_contain_text("1 new")


def test_the_download_is_a_zip_of_all_collections(browser: Browser, server: KalendsServer) -> None:
    with visited(browser, server) as page:
        with page.expect_download() as download:
            page.get_by_role("link", name="Download all").click()
        assert re.fullmatch(
            r"alice-calendars-\d{4}-\d\d-\d\d\.zip", download.value.suggested_filename
        )
        data = Path(download.value.path()).read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {"Calendar.ics", "Contacts.vcf"} <= set(archive.namelist())
        assert archive.testzip() is None


@pytest.mark.parametrize(
    ("device", "feeds"), [("iphone", ["Family <script>alert(1)</script>"]), ("mac", [])]
)
def test_a_profile_has_feeds_if_the_device_supports_them(
    browser: Browser, server: KalendsServer, device: str, feeds: list[str]
) -> None:
    with visited(browser, server) as page:
        guide = page.locator(f"#with-{device}")
        if guide.get_attribute("open") is None:
            guide.locator("summary").click()
        with page.expect_download() as download:
            guide.get_by_role("button", name="Get the profile").click()
        data = Path(download.value.path()).read_bytes()
    content = plistlib.loads(data)["PayloadContent"]
    assert {"com.apple.caldav.account", "com.apple.carddav.account"} <= {
        one["PayloadType"] for one in content
    }
    titles = [one.get("SubCalAccountDescription") for one in content]
    assert [title for title in titles if title] == feeds


def test_the_manager_needs_no_second_login(browser: Browser, server: KalendsServer) -> None:
    # Radicale's manager checks for sharing, which answers 404.
    with visited(browser, server, status="404") as page:
        page.get_by_role("link", name="Make, rename or delete calendars").click()
        shown = page.locator("#collectionsscene article h3", has_text="Tasks")
        expect(shown).to_be_visible()
        expect(page.locator("#loginscene")).to_be_hidden()
        page.get_by_role("link", name=re.compile("Your account")).click()
        expect(page.get_by_role("heading", name="Connect your programs")).to_be_visible()


def test_the_page_of_another_site_cannot_change_anything(
    browser: Browser, server: KalendsServer
) -> None:
    with visited(browser, server, status="403") as page:
        # Even with a stolen token.
        token = page.locator("input[name=token]").first.get_attribute("value")
        before = page.locator("#feeds").inner_html()
        with another_site(
            f"""<form method="post" action="{server.url}.web/account/secret">
            <input name="token" value="{token}"><input name="feed" value="alice">
            <input name="action" value="make"><button>Win a prize</button></form>"""
        ) as elsewhere:
            page.goto(elsewhere)
            with page.expect_navigation() as arrived:
                page.get_by_role("button").click()
            assert arrived.value.status == 403
        expect(page.locator(".note.bad")).to_contain_text("Nothing was changed")
        page.goto(f"{server.url}.web/account/")
        assert page.locator("#feeds").inner_html().count("secret address</dt>") == before.count(
            "secret address</dt>"
        )


@contextmanager
def another_site(text: str) -> Iterator[str]:
    """Serve a page at another origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{site.server_port}/"
    finally:
        site.shutdown()
        thread.join()
        site.server_close()
