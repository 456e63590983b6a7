import pytest

from kalends.common.names import refusal_of_name


@pytest.mark.parametrize("name", ["alice", "alice@example.org", "Zoë", "a.b", "groups", "S", "a b"])
def test_ordinary_names_are_account_names(name: str) -> None:
    assert refusal_of_name(name, {"family"}) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "segment"),
        ("a/b", "segment"),
        ("a\nb", "segment"),
        ("a\x7f", "segment"),
        (".", "'.'"),
        ("..", "'.'"),
        (".web", "'.'"),
        ("@staff", "'@'"),
        ("GROUPS", "reserved"),
        ("feeds", "reserved"),
        ("s", "reserved"),
        ("family", "feed"),
    ],
)
def test_reserved_and_unusable_names_are_refused(name: str, why: str) -> None:
    refusal = refusal_of_name(name, {"family"})
    assert refusal is not None
    assert why in refusal
