"""The request that is sent to every server: what a browser sends, 16 fields, as bytes and as a wrk script.

Three modes: the same head each time; a ``Cookie`` and a ``User-Agent`` that no two requests of a run share, so that a
server's memory of earlier heads does not help it with those fields; or one of some files or ranges in each request.
"""

from __future__ import annotations

from collections.abc import Sequence

COUNTER = "@"
"""Stands in the values of ``VARYING`` where each request has a number of its own, and for one of the choices."""

FIELDS: tuple[tuple[str, str], ...] = (
    ("Connection", "keep-alive"),
    ("Cache-Control", "max-age=0"),
    ("sec-ch-ua", '"Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("Upgrade-Insecure-Requests", "1"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    ),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-User", "?1"),
    ("Sec-Fetch-Dest", "document"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en;q=0.9,de;q=0.8"),
    ("Cookie", "theme=dark; consent=all; visitor=GA1.1.1234567890.1730000000"),
)
"""All but ``Host``, which is the first field and depends on the port."""

VARYING = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    f"Chrome/130.0.{COUNTER}.0 Safari/537.36",
    "Cookie": f"theme=dark; consent=all; visitor=GA1.1.{COUNTER}.1730000000",
}

FIRST_NUMBER = 1_000_000_000
"""The first number of ``VARYING``: with it all numbers of a run have the same length."""


def head(port: int, path: str, varying: bool = False, more: Sequence[tuple[str, str]] = ()) -> str:
    """One request's head, ``more`` fields last; where ``varying``, with ``COUNTER`` still in it."""
    fields = [("Host", f"127.0.0.1:{port}"), *FIELDS, *more]
    if varying:
        fields = [(name, VARYING.get(name, value)) for name, value in fields]
    return f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"


def request(port: int, path: str, more: Sequence[tuple[str, str]] = (), choice: str = COUNTER) -> bytes:
    """The request of the first mode, ready to send; of the third with this choice."""
    return head(port, path, more=more).replace(COUNTER, choice).encode("latin-1")


def wrk_script(template: str, choices: Sequence[str] = ()) -> str:
    """The Lua that makes wrk send this head, and print its summary as one line that ``load.parse`` reads.

    Where the head has ``COUNTER`` in it, one of ``choices`` stands there, in an order that is random and always the
    same; without choices, a number that is never the same.
    """
    parts = [_lua(part) for part in template.split(COUNTER)]
    if len(parts) == 1:
        return f"wrk.format = function() return {parts[0]} end\n" + _SUMMARY
    joined = " .. n .. ".join(parts)
    if choices:
        table = ",".join(map(_lua, choices))
        send = f"local c, x = {{{table}}}, 1\n{_NEXT_CHOICE}return {joined} end\n"
    else:
        send = f"local n = {FIRST_NUMBER}\nrequest = function() n = n + 1; return {joined} end\n"
    return send + _SUMMARY


def _lua(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n")
    return f'"{escaped}"'


_NEXT_CHOICE = "request = function() x = x * 16807 % 2147483647; local n = c[x % #c + 1]; "
"""Park and Miller's generator: exact in Lua's numbers."""
_SUMMARY = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'SUMMARY {"requests": %d, "duration_us": %d, "bytes": %d, "connect": %d, "read": %d, "write": %d, ' ..
    '"status": %d, "timeout": %d, "p50_us": %d, "p99_us": %d}\\n',
    summary.requests, summary.duration, summary.bytes, e.connect, e.read, e.write, e.status, e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""
