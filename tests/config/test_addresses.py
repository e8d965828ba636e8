"""Addresses as users type them."""

from __future__ import annotations

import pytest
from prodserve.config.addresses import Bind, parse_bind

ADDRESSES = [
    ("8000", Bind("tcp", "127.0.0.1", 8000)),
    (8000, Bind("tcp", "127.0.0.1", 8000)),
    ("0", Bind("tcp", "127.0.0.1", 0)),
    ("0:8000", Bind("tcp", "0.0.0.0", 8000)),
    ("127.1:80", Bind("tcp", "127.0.0.1", 80)),
    ("1.2.3.4:80", Bind("tcp", "1.2.3.4", 80)),
    ("[::]:80", Bind("tcp", "::", 80)),
    ("[::1]:8000", Bind("tcp", "::1", 8000)),
    ("[2001:DB8::1]:65535", Bind("tcp", "2001:db8::1", 65535)),
    ("[::ffff:127.0.0.1]:80", Bind("tcp", "::ffff:127.0.0.1", 80)),
    ("[fe80::1%eth0]:80", Bind("tcp", "fe80::1%eth0", 80)),
    ("localhost:8000", Bind("tcp", "localhost", 8000)),
    ("App-1.Example:8000", Bind("tcp", "app-1.example", 8000)),
    ("my_container:8000", Bind("tcp", "my_container", 8000)),
    (" 8000 ", Bind("tcp", "127.0.0.1", 8000)),
    ("unix:/run/app.sock", Bind("unix", path="/run/app.sock")),
    ("unix:///run/app.sock", Bind("unix", path="/run/app.sock")),
    ("unix:app.sock", Bind("unix", path="app.sock")),
    ("fd://3", Bind("fd", fd=3)),
    ("fd:3", Bind("fd", fd=3)),
    ("fd://web.socket", Bind("fd", name="web.socket")),
    (Bind("fd", fd=4), Bind("fd", fd=4)),
]


@pytest.mark.parametrize(("given", "bind"), ADDRESSES, ids=[str(given) for given, _ in ADDRESSES])
def test_an_address_is_read_and_its_own_text_is_read_the_same(given: object, bind: Bind) -> None:
    assert parse_bind(given) == bind
    assert parse_bind(str(bind)) == bind


NOT_ADDRESSES = [
    ("", "such as '8000'"),
    (":8000", "for every IPv4 address: '0:8000'"),
    ("*:8000", "for every IPv4 address: '0:8000'"),
    ("localhost", "with a port: 'localhost:8000'"),
    ("[::1]", r"with a port: '\[::1\]:8000'"),
    ("::1:8000", r"in brackets: '\[::1\]:8000'"),
    ("http://localhost:8000/", "without the scheme: 'localhost:8000'"),
    ("https://localhost:8000", "TLS"),
    ("/run/app.sock", "unix:/run/app.sock"),
    ("1.2.3.4:65536", "0 .any free one. to 65535"),
    ("99999999999999999999", "65535"),
    ("1.2.3.400:80", "not an IPv4 address"),
    ("010.0.0.1:80", "read in two ways"),
    ("[12345::1]:80", "not an IPv6 address"),
    ("[1.2.3.4]:80", "not an IPv6 address"),
    ("localhost:٣٣", "not an address"),
    ("a b:80", "not an address"),
    ("a..b:80", "not an address"),
    ("8000\n", None),
    ("unix:", "names no socket file"),
    ("unix:/run/", "names no socket file"),
    ("fd://", "names no descriptor"),
    ("fd://-3", "names no descriptor"),
    ("fd://a:b", "names no descriptor"),
    (None, "not an address"),
    (True, "not an address"),
]


@pytest.mark.parametrize(("given", "what"), NOT_ADDRESSES, ids=[repr(given) for given, _ in NOT_ADDRESSES])
def test_what_is_not_an_address_is_refused_with_what_was_probably_meant(given: object, what: str | None) -> None:
    if what is None:
        assert parse_bind(given)  # space around an address, as environment files leave it, does no harm
        return
    with pytest.raises(ValueError, match=what):
        parse_bind(given)


LOOPBACK = [
    ("8000", True),
    ("127.9.9.9:80", True),
    ("[::1]:80", True),
    ("localhost:80", True),
    ("app.localhost:80", True),
    ("unix:/run/app.sock", True),
    ("0:80", False),
    ("[::]:80", False),
    ("10.0.0.1:80", False),
    ("example.org:80", False),
    ("fd://3", False),
]


@pytest.mark.parametrize(("text", "loopback"), LOOPBACK, ids=[text for text, _ in LOOPBACK])
def test_only_what_other_machines_cannot_reach_is_loopback(text: str, loopback: bool) -> None:
    assert parse_bind(text).loopback is loopback


@pytest.mark.parametrize(
    ("text", "url"), [("8000", "http://127.0.0.1:8000"), ("[::1]:80", "http://[::1]:80"), ("unix:/a", "unix:/a")]
)
def test_the_url_is_what_a_browser_opens(text: str, url: str) -> None:
    assert parse_bind(text).url == url
