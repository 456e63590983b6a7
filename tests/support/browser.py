"""A real Chromium, its console errors, and the findings of axe-core on a page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

AXE = Path(__file__).parent.parent / "js" / "node_modules" / "axe-core" / "axe.min.js"


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Run a browser for the duration of the block."""
    program = shutil.which("chromium")
    with sync_playwright() as playwright:
        # No sandbox within a sandbox: root's browser would not start otherwise.
        options = ["--no-sandbox", *arguments]
        running = playwright.chromium.launch(executable_path=program, args=options)
        yield running
        running.close()


def collect_console_errors(page: Page) -> list[str]:
    """Return a list to which a page's console errors and exceptions are added as they occur."""
    found: list[str] = []
    page.on(
        "console", lambda message: found.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def accessibility_violations(page: Page) -> list[str]:
    """Return the serious findings of axe-core on a page: each rule, and its elements."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']}: {', '.join(str(node['target']) for node in one['nodes'])}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
