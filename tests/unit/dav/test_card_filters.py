"""Filters of addressbook-query: RFC 6352 section 10.5, against vectors and a naive evaluation."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.common.budget import REQUEST_STEPS, Budget
from kalends.dav.filters.card import CardMatcher
from kalends.dav.filters.collation import COLLATIONS, fold
from kalends.dav.filters.model import CardFilter, ParamFilter, PropFilter, TextMatch
from kalends.dav.filters.read_card import read_card_filter
from kalends.errors import BudgetSpentError, ReportRefusedError
from kalends.ical import contentlines

SPACE = "urn:ietf:params:xml:ns:carddav"
PICTURE = contentlines.fold("PHOTO;ENCODING=b;TYPE=JPEG:" + "EMAILfnTEL" * 2000).decode()
ABSENT = "<is-not-defined/>"


def card(*lines: str) -> str:
    """Return a card with a picture of 20 kB among these lines."""
    head = ["BEGIN:VCARD", "VERSION:3.0", "UID:u"]
    return "\r\n".join([*head, PICTURE.rstrip(), *lines, "END:VCARD", ""])


def filter_of(inner: str, test: str = "") -> CardFilter:
    root = f'<filter xmlns="{SPACE}"{test and f" test={test!r}"}>{inner}</filter>'
    return read_card_filter(ET.fromstring(root))


def matches(text: str, inner: str, test: str = "") -> bool:
    return CardMatcher(filter_of(inner, test), Budget(REQUEST_STEPS)).matches(text.encode())


def prop(name: str, inner: str = "", test: str = "") -> str:
    return f'<prop-filter name="{name}"{test and f" test={test!r}"}>{inner}</prop-filter>'


def param(name: str, inner: str = "") -> str:
    return f'<param-filter name="{name}">{inner}</param-filter>'


def text(value: str, kind: str = "contains", negated: bool = False, collation: str = "") -> str:
    more = f' collation="{collation}"' if collation else ""
    more += ' negate-condition="yes"' if negated else ""
    return f'<text-match match-type="{kind}"{more}>{value}</text-match>'


ANN = card(
    "FN:Ann Döe",
    "N:Döe;Ann;;;",
    "NICKNAME:Annie,Nan",
    "EMAIL;TYPE=HOME:ann@home.example",
    "item1.EMAIL;TYPE=WORK,PREF:ann@work.example",
    "item1.X-ABLabel:Office",
    "TEL;CELL:+1 555",
    "NOTE:first\\nsecond\\, third",
    "ADR;TYPE=HOME:;;1 Long Street with a very long name that is folded in the middle\r\n"
    "  of the line;Town;;12345;Country",
)


@pytest.mark.parametrize(
    ("inner", "found"),
    [
        ("", True),
        (prop("FN"), True),
        (prop("fn"), True),
        (prop("URL"), False),
        (prop("URL", ABSENT), True),
        (prop("FN", ABSENT), False),
        (prop("FN", text("DÖE")), True),
        (prop("FN", text("ann", "starts-with")), True),
        (prop("FN", text("döe", "starts-with")), False),
        (prop("FN", text("döe", "ends-with")), True),
        (prop("FN", text("ann döe", "equals")), True),
        (prop("FN", text("ann", "equals")), False),
        (prop("FN", text("DÖE", collation="i;ascii-casemap")), False),
        (prop("FN", text("DÖe", collation="i;octet")), False),
        (prop("FN", text("Döe", collation="i;octet")), True),
        (prop("N", text("döe", "starts-with")), True),
        (prop("N", text("ann", "starts-with")), False),
        (prop("NICKNAME", text("nan", "equals")), True),
        (prop("NICKNAME", text("nan", "equals", negated=True)), False),
        (prop("EMAIL", text("work.example")), True),
        (prop("item1.EMAIL", text("work.example")), True),
        (prop("item1.EMAIL", text("home.example")), False),
        (prop("item2.EMAIL"), False),
        (prop("X-ABLABEL", text("office")), True),
        (prop("NOTE", text("second, third")), True),
        (prop("ADR", text("the middle of the line")), True),
        (prop("EMAIL", text("home", negated=True)), True),
        (prop("FN", text("ann", negated=True)), False),
        (prop("URL", text("ann", negated=True)), False),
        (prop("EMAIL", param("TYPE")), True),
        (prop("EMAIL", param("TYPE", text("pref", "equals"))), True),
        (prop("EMAIL", param("X-A", ABSENT)), True),
        (prop("EMAIL", param("TYPE", ABSENT)), False),
        (prop("TEL", param("TYPE", text("cell", "equals"))), True),
        (prop("TEL", param("TYPE", text("work", "equals"))), False),
        (prop("EMAIL", param("TYPE", text("fax", negated=True))), True),
        (prop("FN", param("TYPE", text("fax", negated=True))), False),
        (prop("PHOTO"), True),
    ],
)
def test_a_filter_tests_what_is_there(inner: str, found: bool) -> None:
    assert matches(ANN, inner) is found
    assert matches(ANN.replace("\r\n", "\n"), inner) is found


@pytest.mark.parametrize(("test", "found"), [("", True), ("anyof", True), ("allof", False)])
def test_one_property_passes_some_or_all_tests(test: str, found: bool) -> None:
    inner = text("home.example") + param("TYPE", text("WORK"))
    assert matches(ANN, prop("EMAIL", inner, test)) is found


@pytest.mark.parametrize(("test", "found"), [("", True), ("anyof", True), ("allof", False)])
def test_a_card_passes_some_or_all_filters(test: str, found: bool) -> None:
    assert matches(ANN, prop("FN", text("ann")) + prop("FN", text("bob")), test) is found
    assert matches(ANN, prop("FN", text("ann")) + prop("EMAIL", text("home")), test)


@pytest.mark.parametrize("end", ["PHOTO;ENCODING=b:AAA=A", "LOGO;CHARSET=nonsense:x", "NOTE:ann"])
def test_a_picture_or_an_odd_value_is_not_searched(end: str) -> None:
    odd = card("FN:Bob", end)
    assert not matches(odd, prop("FN", text("ann")) + prop("EMAIL", text("ann")))
    assert matches(odd, prop("FN", text("bob")))


def test_the_text_of_a_card_2_1_is_decoded() -> None:
    old = card("FN;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:D=C3=B6e")
    assert matches(old, prop("FN", text("döe")))


@pytest.mark.parametrize(
    ("one", "other"),
    [("é", "e\N{COMBINING ACUTE ACCENT}"), ("É", "é"), ("ﬁ", "FI"), ("Ω", "ω")],
)
def test_the_unicode_collation_compares_without_case_and_composition(one: str, other: str) -> None:
    """RFC 5051 section 2: titlecase, then the full decomposition."""
    assert fold(one, "i;unicode-casemap").upper() == fold(other, "i;unicode-casemap").upper()


def test_the_ascii_collation_changes_ascii_alone() -> None:
    assert fold("aZé", "i;ascii-casemap") == "AZé"
    assert set(COLLATIONS) == {"i;octet", "i;ascii-casemap", "i;unicode-casemap"}


@pytest.mark.parametrize(
    ("inner", "precondition"),
    [
        (prop("FN", '<text-match collation="i;nonsense">x</text-match>'), "CR:supported-collation"),
        (prop("FN", text("x", "sounds-like")), "CR:supported-filter"),
        (prop("FN", "", "someof"), "CR:supported-filter"),
        (prop(""), "CR:supported-filter"),
        ("<nonsense/>", "CR:supported-filter"),
    ],
)
def test_an_invalid_filter_is_refused(inner: str, precondition: str) -> None:
    with pytest.raises(ReportRefusedError) as refused:
        filter_of(inner)
    assert refused.value.precondition == precondition


def test_a_search_among_pictures_takes_few_steps() -> None:
    """A step is half a microsecond: 20,000 cards with pictures are searched in a second."""
    budget = Budget(REQUEST_STEPS)
    names = ("FN", "EMAIL", "TEL", "NICKNAME", "ORG")
    matcher = CardMatcher(filter_of("".join(prop(n, text("zoe")) for n in names)), budget)
    data = ANN.encode()
    for _ in range(100):
        assert not matcher.matches(data)
    assert 200 * budget.spent < REQUEST_STEPS


def test_many_filters_on_many_properties_are_bounded() -> None:
    wanted = CardFilter(
        tuple(PropFilter("EMAIL", texts=(TextMatch(f"z{n}", "i;octet"),)) for n in range(2000))
    )
    data = card(*(f"EMAIL:a{number}@example.org" for number in range(2000))).encode()
    with pytest.raises(BudgetSpentError):
        CardMatcher(wanted, Budget(100_000)).matches(data)


# A naive evaluation, on lists of properties instead of octets.
@dataclass(frozen=True)
class Line:
    group: str
    name: str
    kinds: tuple[str, ...]
    value: str

    def text(self) -> str:
        kinds = f";TYPE={','.join(self.kinds)}" if self.kinds else ""
        group = self.group and f"{self.group}."
        return contentlines.fold(f"{group}{self.name}{kinds}:{self.value}").decode().rstrip("\r\n")


WORDS = ["a", "B", "ab", "Ba", "é", "x" * 100]
NAMES = ["FN", "EMAIL", "TEL"]
lines = st.builds(
    Line,
    st.sampled_from(["", "g", "H"]),
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(WORDS[:4]), max_size=2).map(tuple),
    st.lists(st.sampled_from(WORDS), max_size=2).map("".join),
)
text_matches = st.builds(
    TextMatch,
    st.sampled_from([fold(word, "i;unicode-casemap") for word in WORDS]),
    st.just("i;unicode-casemap"),
    st.sampled_from(["equals", "contains", "starts-with", "ends-with"]),
    st.booleans(),
)
param_filters = st.builds(ParamFilter, st.just("TYPE"), text=st.none() | text_matches) | st.just(
    ParamFilter("TYPE", is_defined=False)
)
prop_names = st.sampled_from([*NAMES, "G.EMAIL", "H.FN"])
prop_filters = st.builds(
    PropFilter,
    prop_names,
    texts=st.lists(text_matches, max_size=2).map(tuple),
    params=st.lists(param_filters, max_size=2).map(tuple),
    is_allof=st.booleans(),
) | st.builds(PropFilter, prop_names, st.just(False))


def has_text(wanted: TextMatch, values: list[str]) -> bool:
    found = False
    for value in values:
        folded = fold(value, "i;unicode-casemap")
        found = (
            found
            or {
                "equals": folded == wanted.text,
                "contains": wanted.text in folded,
                "starts-with": folded[: len(wanted.text)] == wanted.text,
                "ends-with": folded[len(folded) - len(wanted.text) :] == wanted.text
                and len(folded) >= len(wanted.text),
            }[wanted.kind]
        )
    return found != wanted.negated


def has_param(wanted: ParamFilter, line: Line) -> bool:
    if not wanted.is_defined:
        return not line.kinds
    return bool(line.kinds) and (wanted.text is None or has_text(wanted.text, list(line.kinds)))


def has_prop(wanted: PropFilter, content: list[Line]) -> bool:
    group, _, name = wanted.name.rpartition(".")
    named = [
        line for line in content if line.name == name and (not group or line.group.upper() == group)
    ]
    if not wanted.is_defined:
        return not named
    for line in named:
        tests = [has_text(one, [line.value]) for one in wanted.texts]
        tests += [has_param(one, line) for one in wanted.params]
        if not tests or (all(tests) if wanted.is_allof else any(tests)):
            return True
    return False


@given(st.lists(lines, max_size=5), st.lists(prop_filters, min_size=1, max_size=3), st.booleans())
def test_filters_agree_with_a_naive_evaluation(
    content: list[Line], wanted: list[PropFilter], is_allof: bool
) -> None:
    found = [has_prop(one, content) for one in wanted]
    expected = all(found) if is_allof else any(found)
    matcher = CardMatcher(CardFilter(tuple(wanted), is_allof), Budget())
    assert matcher.matches(card(*(line.text() for line in content)).encode()) is expected
