"""Account page behind real web servers with the files of ``deploy/``, below a prefix, over TLS."""

from __future__ import annotations

import plistlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from support.browser import chromium, collect_console_errors
from support.deployment import Deployed, DeployedApache, DeployedNginx, DeployedWsgi
from support.installation import event
from support.proxied import ProxiedKalends

USERS = {"ann": "secret"}
FRONTS = [
    pytest.param((DeployedNginx, "none", "Basic"), id="nginx does the login"),
    pytest.param((DeployedApache, "digest, basic", ""), id="Apache, Kalends does the login"),
    pytest.param((DeployedWsgi, "none", "Digest"), id="mod_wsgi, Apache does the login"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployed]:
    make, schemes, login = request.param
    with (
        ProxiedKalends(tmp_path / "server", USERS, schemes=schemes) as kalends,
        make(tmp_path / "front", kalends.backend(), prefix="/calendars", login=login) as running,
    ):
        yield running


def test_the_page_works_at_its_public_address(browser: Browser, front: Deployed) -> None:
    context = browser.new_context(
        http_credentials={"username": "ann", "password": "secret"}, ignore_https_errors=True
    )
    page = context.new_page()
    errors = collect_console_errors(page)
    page.goto(f"{front.base}/.web/account/")
    page.locator("summary", has_text="DAVx").click()
    base = page.locator("#with-davx5 code").first.inner_text()
    assert base == f"{front.base}/ann/"

    page.locator("#file").set_input_files(
        {"name": "one.ics", "mimeType": "text/calendar", "buffer": event("through")}
    )
    page.get_by_role("button", name="Import").click()
    expect(page.locator(".results .result")).to_contain_text("1 new")

    feed = page.locator("article.feed", has_text="house")
    feed.get_by_role("button", name="Make a secret address").click()
    expect(page.locator(".note.good")).to_contain_text("has this secret address now")
    secret = feed.locator(".field", has_text="Your secret address").locator("code").inner_text()
    assert secret.startswith(f"{front.base}/feeds/s/")
    stranger = browser.new_context(ignore_https_errors=True)
    assert "UID:through" in stranger.request.get(secret).text()
    stranger.close()

    with page.expect_download() as download:
        page.get_by_role("link", name="Download all").click()
    assert Path(download.value.path()).read_bytes()[:2] == b"PK"

    profile = fetch_text(page, f"{front.base}/.mobileconfig")
    caldav, *_, subscribed = plistlib.loads(profile.encode())["PayloadContent"]
    assert caldav["CalDAVPrincipalURL"] == "/calendars/ann/"
    assert (caldav["CalDAVPort"], caldav["CalDAVUseSSL"]) == (front.port, True)
    address = urlsplit(subscribed["SubCalAccountHostName"])
    assert (address.scheme, address.port) == ("https", front.port)
    assert fetch_text(page, address.geturl()).startswith("BEGIN:VCALENDAR")
    context.close()
    assert errors == []


def fetch_text(page: Page, url: str) -> str:
    """Fetch a URL from within the page, with the login that the browser has."""
    text: str = page.evaluate("url => fetch(url).then(answer => answer.text())", url)
    return text
