"""A client of the account page: its forms, hidden fields, and uploads."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlencode

from support.installation import Answer, Client

OWN = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
PAGE = "/.web/account/"
IMPORT = "/.web/account/import"
SECRET = "/.web/account/secret"
BOUNDARY = "xxBOUNDARYxx"


class Form(HTMLParser):
    """Parser of a page for its hidden fields, values to copy, and links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.copies: dict[str, list[str]] = {}
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "input" and found.get("type") == "hidden":
            self.hidden.setdefault(found["name"], found["value"])
        if "data-copy" in found:
            self.copies.setdefault(found["data-label"], []).append(found["data-copy"])
        self.links += [found[name] for name in ("href", "src", "action") if name in found]


def page_of(client: Client) -> Form:
    answer = client("GET", PAGE)
    assert answer.status == 200, answer
    return Form(answer.body.decode())


def post(client: Client, path: str, fields: dict[str, str], **headers: str) -> Answer:
    said = {**OWN, **{name.replace("_", "-"): value for name, value in headers.items()}}
    sent = {name: value for name, value in said.items() if value}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return client("POST", path, urlencode(fields), headers={**sent, **kind})


def multipart(fields: dict[str, str], name: str, data: bytes) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    ]
    file = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: text/calendar\r\n\r\n"
    )
    return "".join([*parts, file]).encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()


def upload(
    client: Client, data: bytes, *, into: str = "alice/calendar", token: str | None = None
) -> Answer:
    token = page_of(client).hidden["token"] if token is None else token
    body = multipart({"token": token, "into": into}, "holidays <i>.ics", data)
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return client("POST", IMPORT, body, headers={**OWN, **kind})
