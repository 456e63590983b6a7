"""A real Chromium, what it complains of, and what axe-core finds on a page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

AXE = Path(__file__).parent.parent / "js" / "node_modules" / "axe-core" / "axe.min.js"


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """A browser for as long as the block."""
    program = shutil.which("chromium")
    with sync_playwright() as playwright:
        # No sandbox within a sandbox: root's browser would not start otherwise.
        options = ["--no-sandbox", *arguments]
        running = playwright.chromium.launch(executable_path=program, args=options)
        yield running
        running.close()


def collect_console_errors(page: Page) -> list[str]:
    """A list that fills with what a page writes to the console as an error, and fails at."""
    found: list[str] = []
    page.on("console", lambda said: found.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def accessibility_violations(page: Page) -> list[str]:
    """What axe-core finds that keeps people from using a page: each rule, and where."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']}: {', '.join(str(node['target']) for node in one['nodes'])}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
