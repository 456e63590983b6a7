"""The parts of Radicale's page and scripts that our additions to its manager rely on."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from kalends.adapters.web import with_our_parts

PAGES = files("radicale.web") / "internal_data"
STYLE, LINK = '" rel="stylesheet">', '<nav id="kalends"'


def test_the_only_setting_of_the_manager_is_the_one_that_we_replace() -> None:
    """Our config.js is served in place of Radicale's."""
    theirs = (PAGES / "js" / "config.js").read_text()
    assert re.findall(r"^export (.*?) =", theirs, re.MULTILINE) == ["const PREFER_BROWSER_LOGIN"]


def test_radicales_page_has_both_places() -> None:
    theirs = (PAGES / "index.html").read_text()
    head, _, content = with_our_parts(theirs).partition("<body>")
    assert head.count("manager") == 1
    assert content.index(LINK) < content.index("<main>")
    assert re.sub(r'<link href="account/[^>]*>|<nav id="kalends".*?</nav>', "", head + content) == (
        theirs.replace("<body>", "")
    )


@pytest.mark.parametrize(
    "page",
    [
        "<html><HEAD>\n<title>x</title></head >\r\n<body\n class='a'>{}<main id=x>y</main></body>",
        "<head></head><body>{}<p><!-- <main> --></p></body>",
    ],
)
def test_the_places_are_found_by_their_elements(page: str) -> None:
    made = with_our_parts(page.replace("{}", ""))
    before, _, after = page.partition("{}")
    assert made.endswith(after)
    assert made.removesuffix(after).endswith("</a></nav>")
    assert made.partition(STYLE)[2].lower().startswith("</head")
    assert before.splitlines()[0][:6] in made


def test_a_page_without_the_places_is_unchanged() -> None:
    assert with_our_parts("no page") == "no page"
