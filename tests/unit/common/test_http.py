"""Header fields that several parts of the package share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.common.http import EntityTags, http_date, takes_gzip

# etagc of RFC 9110 section 8.8.3, as WSGI gives octets.
opaque_tags = st.text(
    st.sampled_from([chr(c) for c in (0x21, *range(0x23, 0x7F), *range(0x80, 0x100))])
)
strong_tags = opaque_tags.map(lambda opaque: f'"{opaque}"')
entity_tags = st.builds(str.__add__, st.sampled_from(["", "W/"]), strong_tags)
headers = st.text(st.sampled_from('W/"", \t*ab-\xe4\\')) | st.text()


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        # RFC 9110 section 8.8.3
        ('"xyzzy"', ['"xyzzy"']),
        ('W/"xyzzy"', ['W/"xyzzy"']),
        ('""', ['""']),
        # RFC 9110 sections 13.1.1 and 13.1.2
        ('"xyzzy", "r2d2xxxx", "c3piozzzz"', ['"xyzzy"', '"r2d2xxxx"', '"c3piozzzz"']),
        (
            'W/"xyzzy", W/"r2d2xxxx", W/"c3piozzzz"',
            ['W/"xyzzy"', 'W/"r2d2xxxx"', 'W/"c3piozzzz"'],
        ),
        # RFC 9110 section 5.6.1.2: empty elements
        (' , "a",\t, "b" ,', ['"a"', '"b"']),
        ('"a,b","c"', ['"a,b"', '"c"']),
        ("", []),
        ("xyzzy", []),
        ('w/"a"', []),
        ('W/ "a"', []),
        ('"a b"', []),
        ('"a" "b", "c"', ['"c"']),
        ('*, "a"', ['"a"']),
        ('"a", "b', ['"a"']),
        ("W/", []),
    ],
)
def test_a_list_of_tags_is_parsed(header: str, tags: list[str]) -> None:
    assert EntityTags.read(header) == EntityTags(is_any=False, tags=tuple(tags))


@pytest.mark.parametrize(
    # The table of RFC 9110 section 8.8.3.2.
    ("one", "other", "strong", "weak"),
    [
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', '"1"', True, True),
    ],
)
def test_strong_and_weak_comparison_differ(one: str, other: str, strong: bool, weak: bool) -> None:
    for named, there in ((one, other), (other, one)):
        tags = EntityTags.read(named)
        assert (tags.match_strongly(there), tags.match_weakly(there)) == (strong, weak)


@pytest.mark.parametrize("header", ["*", " * ", "\t*"])
def test_an_asterisk_matches_any_representation(header: str) -> None:
    tags = EntityTags.read(header)
    assert tags == EntityTags(is_any=True, tags=())
    assert tags.match_strongly('"a"')
    assert tags.match_weakly('W/"a"')


def test_a_request_without_the_field_matches_nothing() -> None:
    assert not EntityTags.known_to({}).match_weakly('"a"')
    assert EntityTags.known_to({"HTTP_IF_NONE_MATCH": '"a"'}).match_weakly('W/"a"')


@given(st.lists(entity_tags), st.sampled_from([",", ", ", " ,\t", ",,"]))
def test_every_listed_tag_is_parsed(tags: list[str], comma: str) -> None:
    read = EntityTags.read(comma.join(tags))
    assert read.tags == tuple(tags)
    assert read.opaque == {tag.removeprefix("W/").strip('"') for tag in tags}
    assert all(read.match_weakly(tag) for tag in tags)
    assert all(read.match_strongly(tag) is (tag[0] == '"') for tag in tags)


@given(headers, strong_tags)
def test_garbage_does_not_match_a_tag_that_it_does_not_contain(header: str, etag: str) -> None:
    tags = EntityTags.read(header)
    assert all(tag in header for tag in tags.tags)
    if etag not in header and not tags.is_any:
        assert not tags.match_weakly(etag)
        assert not tags.match_strongly(etag)


@given(headers, strong_tags)
def test_a_tag_beside_garbage_is_parsed(garbage: str, etag: str) -> None:
    if '"' not in garbage:
        assert EntityTags.read(f"{garbage},{etag},{garbage}").tags == (etag,)


@pytest.mark.parametrize("piece", ['"', 'W/"a', '"a" ', ",", " ", "a", '"",'])
def test_a_long_header_is_parsed_in_linear_time(piece: str) -> None:
    """A parser that backtracks would not finish within the time limit of a test."""
    assert not EntityTags.read(piece * 100_000).match_weakly('"x"')


def test_a_date_is_an_imf_fixdate() -> None:
    # The example of RFC 9110 section 5.6.7.
    assert http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert http_date(784111777.9) == "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        # The examples of RFC 9110 section 12.5.3.
        ("compress, gzip", True),
        ("", False),
        ("*", False),
        ("compress;q=0.5, gzip;q=1.0", True),
        ("gzip;q=1.0, identity; q=0.5, *;q=0", True),
        ("GZip", True),
        ("gzip;q=0", False),
        ("gzip ; Q = 0.000", False),
        ("gzip;q=0.001", True),
        ("gzipped", False),
    ],
)
def test_accept_encoding_is_parsed(header: str, takes: bool) -> None:
    assert takes_gzip(header) is takes
