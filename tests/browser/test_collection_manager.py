"""The collection manager in a real browser, with each choice of login schemes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from support.digestclients import XML, CurlBasic, DigestClient, Requests, open_client
from support.server import KalendsServer, create_digest_server

USER, PASSWORD = "alice", "wonderland"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    with sync_playwright() as playwright:
        # Chromium does not start as root with its sandbox.
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


def serve(folder: Path, schemes: str, **auth: str) -> KalendsServer:
    options = {"auth": auth}
    return create_digest_server(folder, {USER: PASSWORD}, schemes=schemes, options=options)


def by_dialog(browser: Browser, server: KalendsServer, password: str = PASSWORD) -> Page:
    """Open the page, and log in by the browser's own dialog."""
    context = browser.new_context(http_credentials={"username": USER, "password": password})
    page = context.new_page()
    page.goto(f"{server.url}.web/")
    return page


def by_form(browser: Browser, server: KalendsServer) -> Page:
    """Open the page, and log in by its form."""
    page = browser.new_context().new_page()
    page.goto(f"{server.url}.web/")
    form = page.locator("#loginscene")
    form.locator("[data-name=user]").fill(USER)
    form.locator("[data-name=password]").fill(PASSWORD)
    form.get_by_role("button", name="Next").click()
    return page


def work_there(page: Page, server: KalendsServer, over_the_wire: type[DigestClient]) -> None:
    """Make and delete a calendar, to show that writes are authenticated too."""

    def status() -> int:
        with open_client(over_the_wire, server.url, USER, PASSWORD) as ask:
            return ask("PROPFIND", "/alice/trips/", headers=XML)

    expect(page.locator("#collectionsscene article h3", has_text="Tasks")).to_be_visible()
    page.locator("#collectionsscene [data-name=new]").click()
    scene = page.locator("#createcollectionscene")
    scene.locator("[data-name=href]").fill("trips")
    scene.locator("[data-name=displayname]").fill("Trips")
    scene.locator("[data-name=submit]").click()
    made = page.locator("#collectionsscene article:not(.hidden)", has_text="Trips")
    expect(made).to_be_visible()
    assert status() == 207

    made.hover()
    made.locator("[data-name=delete]").click()
    confirm = page.locator("#deleteconfirmationscene")
    confirm.locator("[data-name=confirmationtxt]").fill(
        confirm.locator("[data-name=deleteconfirmationtext]").inner_text()
    )
    with page.expect_response(lambda response: response.request.method == "DELETE") as deleted:
        confirm.locator("[data-name=delete]").click()
    assert deleted.value.ok
    expect(made).to_have_count(0)
    assert status() == 404


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KalendsServer]:
    running = serve(tmp_path / "server", **request.param)
    yield running
    running.close()


DIGEST = pytest.param({"schemes": "digest"}, id="digest alone")
NO_BASIC_HERE = pytest.param(
    {"schemes": "digest, basic", "basic_over_http": "False"}, id="basic over TLS only"
)
BASIC = pytest.param({"schemes": "basic"}, id="basic")
BOTH = pytest.param({"schemes": "digest, basic"}, id="both")


@pytest.mark.parametrize("server", [DIGEST, NO_BASIC_HERE], indirect=True)
def test_without_basic_the_browser_itself_logs_in(browser: Browser, server: KalendsServer) -> None:
    work_there(by_dialog(browser, server), server, Requests)
    with open_client(CurlBasic, server.url, USER, PASSWORD) as ask:
        assert ask("PROPFIND", "/alice/", headers=XML) == 401


@pytest.mark.parametrize("server", [BASIC, BOTH], indirect=True)
def test_with_basic_the_form_logs_in(browser: Browser, server: KalendsServer) -> None:
    work_there(by_form(browser, server), server, CurlBasic)


@pytest.mark.parametrize("server", [DIGEST], indirect=True)
def test_a_wrong_password_in_the_dialog_shows_nothing(
    browser: Browser, server: KalendsServer
) -> None:
    page = by_dialog(browser, server, "wrong")
    expect(page.locator("#loginscene")).to_be_visible()
    expect(page.locator("#collectionsscene")).to_be_hidden()
