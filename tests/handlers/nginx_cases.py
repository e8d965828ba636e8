"""The requests that nginx and our server get, and the reasons why an answer of ours is not nginx's.

A reason names the aspects in which the two differ: status, fields, body. Where a case has none, all must be equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .files import CHANGED
from .nginx import BROTLI


@dataclass(frozen=True)
class Reason:
    """Why some aspects of an answer are not nginx's."""

    aspects: frozenset[str]
    why: str


def because(aspects: str, why: str) -> Reason:
    return Reason(frozenset(aspects.split()), why)


@dataclass
class Case:
    """One request and how our answer to it differs."""

    target: str
    fields: dict[str, str] = field(default_factory=dict)
    reason: Reason | None = None
    method: str = "GET"
    version: str = "1.1"

    def __str__(self) -> str:
        fields = [f"{name}: {value[:60]}" for name, value in self.fields.items()]
        old = [] if self.version == "1.1" else [self.version]
        return " ".join([*old, self.method, self.target[:60], *fields])

    def request(self, *more: str) -> bytes:
        """As it is sent; ``more`` are further lines of fields."""
        lines = [f"{self.method} {self.target} HTTP/{self.version}", "Host: localhost", *more]
        lines += [f"{name}: {value}" for name, value in self.fields.items()]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


ETAG = '"3b9aca00-64"'
BEFORE = "Sun, 09 Sep 2001 01:46:39 GMT"
AFTER = "Sun, 09 Sep 2001 01:46:41 GMT"
FOUND = "accept-ranges body cache-control content-length content-type etag last-modified status"
"""All aspects by which a 200 differs from an error."""

JAVASCRIPT = because("content-type", "RFC 9239: text/javascript; application/javascript is obsolete")
ARCHIVE = because("content-type", "Debian's table does not know archives by this suffix")
NO_INDEX = because("status", "403 would tell that the directory exists; there is nothing that could be permitted")
NO_INDEX_MOVED = because("status location", "no redirect to a page that does not exist")
MOVED = because("status location", "it has moved, whatever is asked of it; nginx says so to GET, HEAD and POST only")
HIDDEN = because(FOUND, "hidden files (.env, .git) are never published")
OUTSIDE = because(FOUND, "links do not lead out of the root")
ONE_NAME = because(FOUND, "one file has one address: caches and rules in front of us see the same path as we do")
NO_NAME = because("status", "it names no file, and that is all there is to say")
ALLOWED = because("allow", "RFC 9110 §15.5.6: a 405 must carry Allow")
OPTIONS = because("allow status", "RFC 9110 §9.3.7: OPTIONS is answered, with the methods")
UNKNOWN_METHOD = because("status", "RFC 9110 §9.1: a method nobody knows is a 501, before the target is looked at")
ABSENT = because("status", "nothing is there that could allow or refuse a method; nginx says so for POST only")
NOT_LATER = because(
    "accept-ranges body content-length content-type status",
    "RFC 9110 §13.1.3: unchanged since a later date; nginx compares for equality",
)
NO_DATE = because(FOUND, "RFC 9110 §13.1.4: a date that is none is ignored")
TAG_FIRST = because(
    "accept-ranges body content-length content-type status", "RFC 9110 §13.1.3: ignored beside If-None-Match"
)
MATCH_FIRST = because(FOUND, "RFC 9110 §13.1.4: ignored beside If-Match")
MALFORMED_ASPECTS = FOUND + " content-range"
MALFORMED = because(MALFORMED_ASPECTS, "RFC 9110 §14.2: a malformed Range may be ignored; all of it is no error")
LIST = because(
    "body cache-control content-length content-range content-type etag last-modified status",
    "RFC 9110 §5.6.1.2: empty members of a list are ignored",
)
FAR_END = because(
    "body cache-control content-length content-range content-type etag last-modified status",
    "RFC 9110 §14.1.2: an end behind the end means the end, however far",
)
MANY = because(
    "accept-ranges body content-length content-type status",
    "RFC 9110 §14.2: many small ranges cost more than the whole",
)
HEAD_RANGE = because(
    "accept-ranges content-length content-range status", "RFC 9110 §14.2: Range must be ignored for all but GET"
)
HEAD_NO_RANGE = because(FOUND.replace("body", "content-range body"), HEAD_RANGE.why)
CODED = because("accept-ranges etag", "each coding has its own tag, and its parts can be asked for")
CODED_TAG = because("etag", "each coding has its own tag")
CODED_RANGE = because("body content-length content-range etag status", CODED.why)
ENCODED = "body content-encoding content-length etag"
STAR = because(ENCODED, "RFC 9110 §12.5.3: * stands for every coding")
ALIAS = because(ENCODED, "RFC 9110 §8.4.1.3: x-gzip is gzip")
WEIGHED = because(ENCODED + " accept-ranges", "RFC 9110 §12.5.3: the weights of the client decide")


NO_LIST = because(
    "accept-ranges body content-length content-type status",
    "RFC 9110 §13.1.2: neither * nor a list of tags, so none of them is ours; all of it is no error",
)
NO_LIST_TO_MATCH = because(FOUND, "RFC 9110 §13.1.1: neither * nor a list of tags, so none of them is ours")
STRICT_DATE = because(
    "accept-ranges body content-length content-type status", "RFC 9110 §13.1.3: a date that is none is ignored"
)
STRICT_IF_RANGE = because(
    "accept-ranges body content-length content-range status", "RFC 9110 §13.1.5: a date that is none is not the file's"
)
LOOSE_RANGE = because(
    "accept-ranges body content-length content-range status", "RFC 9110 §14.1.2: no blanks inside; ignored"
)
OF_NOTHING = because(MALFORMED_ASPECTS, "RFC 9110 §14.2: no range of nothing can be answered; all of it is no error")
CONTRADICTORY = because(ENCODED + " accept-ranges", "nginx takes the first of two weights of a coding, we the last")
CONTRADICTORY_AFTER_ALL = because(ENCODED, CONTRADICTORY.why)
TAB = because(ENCODED, "RFC 9110 §5.6.3: a tab is white space, too")
OLD_CODED = because(ENCODED, "RFC 9110 §12.5.3: Accept-Encoding holds for clients of every version")
FRAGMENT = because(FOUND, "RFC 9112 §3.2: a fragment is no part of a target; whoever sends one means something else")
RAW = because(FOUND, "RFC 3986 §2: octets outside of ASCII are encoded in a target")
RAW_ABSENT = because("status", RAW.why)
NOT_HTTP = because(FOUND, "RFC 9110 §7.4: not a scheme that we serve")
OUTSIDE_MOVED = because("location status", OUTSIDE.why)
NO_TARGET = because("status", "RFC 9112 §3.2: not a form that a target of this method has")
SERVER_WIDE = because("status", "RFC 9110 §9.3.7: * is about the server, not about a file: the app answers")


def plain(*targets: str, reason: Reason | None = None) -> list[Case]:
    return [Case(target, {}, reason) for target in targets]


def by_method(target: str, *methods: str, reason: Reason | None = None) -> list[Case]:
    return [Case(target, {}, reason, method) for method in methods]


def given(target: str, name: str, *values: str, reason: Reason | None = None) -> list[Case]:
    return [Case(target, {name: value}, reason) for value in values]


def old(*targets: str) -> list[Case]:
    return [Case(target, {}, None, "GET", "1.0") for target in targets]


CASES = [
    *plain("/s/a.txt", "/s/empty.txt", "/s/large.bin", "/s/app.css", "/s/sub/page.html", "/s/inner.txt"),
    *plain("/s/a.txt?v=1", "/s/a.txt?", "/s/%61.txt", "/s/sub%2fpage.html", "/s/%C3%A9%20%c3%bc.txt"),
    *plain("/s/absent", "/s/sub/absent", "/s/a.txt/", "/s/a.txt/x", "/s/a.txt.", "/s/A.TXT", "/s/a.txt%20"),
    *plain("/s/sub/", "/s/sub", "/s/sub?x=1", "/s/sub/?x", "/x", "/s", "/sx/a.txt", "/s/" + "x" * 300),
    *plain("/s/.well-known/security.txt"),
    *plain("/s/app.css.gz", reason=ARCHIVE),
    *plain("/s/app.3f2a.js", reason=JAVASCRIPT),
    *plain("/s/", "/s/.well-known/", reason=NO_INDEX),
    *plain("/s/.well-known", reason=NO_INDEX_MOVED),
    *plain("/s/.env", "/s/%2eenv", reason=HIDDEN),
    *plain("/s/door/x.txt", reason=OUTSIDE),
    # ways out
    *plain("/s/../secret.txt", "/s/%2e%2e/secret.txt", "/s/sub/../../secret.txt", "/s/..%2fsecret.txt"),
    *plain("/s/%252e%252e/secret.txt", "/s/..%5csecret.txt", "/s//etc/passwd", "/s/%2fetc/passwd", "/s/..;/secret.txt"),
    *plain("/s/../../../../etc/passwd", "/s/a.txt%00", "/s/%", "/s/%zz", "/s/100%.txt", reason=NO_NAME),
    *plain("/s/sub/../a.txt", "/s//a.txt", "/s/./a.txt", "/s/sub//page.html", reason=ONE_NAME),
    *plain("/s/%ff%fe"),
    # methods
    *[Case(target, {}, None, "HEAD") for target in ("/s/a.txt", "/s/empty.txt", "/s/large.bin", "/s/absent", "/s/sub")],
    *by_method("/s/a.txt", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", reason=ALLOWED),
    *by_method("/s/a.txt", "OPTIONS", reason=OPTIONS),
    *by_method("/s/a.txt", "X", reason=UNKNOWN_METHOD),
    *by_method("/s/absent", "POST"),
    *by_method("/s/absent", "PUT", "OPTIONS", reason=ABSENT),
    # conditions
    *given(
        "/s/a.txt", "If-None-Match", ETAG, f"W/{ETAG}", "*", '"x"', f'"x", {ETAG}', f'"x",{ETAG},"y"', "x", "", '"x'
    ),
    *given("/s/a.txt", "If-None-Match", f'W/"x", W/{ETAG}', ETAG.strip('"'), f"{ETAG};gzip", f'"x{ETAG}"'),
    *given("/s/a.txt", "If-Modified-Since", CHANGED, BEFORE, "Sunday, 09-Sep-01 01:46:40 GMT"),
    *given("/s/a.txt", "If-Modified-Since", "Sun Sep  9 01:46:40 2001", "x", ""),
    *given("/s/a.txt", "If-Modified-Since", AFTER, reason=NOT_LATER),
    *given("/s/a.txt", "If-Match", ETAG, "*", '"x"', f'"x", {ETAG}', f"W/{ETAG}", "x", ""),
    *given("/s/a.txt", "If-Unmodified-Since", CHANGED, BEFORE, AFTER),
    *given("/s/a.txt", "If-Unmodified-Since", "x", "", reason=NO_DATE),
    Case("/s/a.txt", {"If-None-Match": '"x"', "If-Modified-Since": CHANGED}),
    Case("/s/a.txt", {"If-None-Match": ETAG, "If-Modified-Since": BEFORE}, TAG_FIRST),
    Case("/s/a.txt", {"If-Match": ETAG, "If-None-Match": ETAG}),
    Case("/s/a.txt", {"If-Match": '"x"', "If-None-Match": ETAG}),
    Case("/s/a.txt", {"If-Match": ETAG, "If-Unmodified-Since": BEFORE}, MATCH_FIRST),
    Case("/s/a.txt", {"If-Unmodified-Since": BEFORE, "If-None-Match": ETAG}),
    Case("/s/a.txt", {"If-None-Match": ETAG, "Range": "bytes=0-0"}),
    Case("/s/a.txt", {"If-Match": '"x"', "Range": "bytes=0-0"}),
    Case("/s/a.txt", {"If-None-Match": ETAG}, None, "HEAD"),
    Case("/s/a.txt", {"If-Match": '"x"'}, None, "HEAD"),
    Case("/s/absent", {"If-None-Match": "*"}),
    Case("/s/absent", {"If-Match": "*"}),
    Case("/s/app.css", {"If-None-Match": "*", "Accept-Encoding": "gzip"}, CODED_TAG),
    # ranges
    *given("/s/a.txt", "Range", "bytes=0-0", "bytes=0-49", "bytes=50-", "bytes=99-", "bytes=-1", "bytes=-100"),
    *given("/s/a.txt", "Range", "bytes=0-1000", "bytes=-1000", "bytes=100-", "bytes=200-300", "bytes=-0"),
    *given("/s/a.txt", "Range", "BYTES=0-0", "bytes= 0-0", "bytes=99999999999999999999-"),
    *given(
        "/s/a.txt", "Range", "bytes=0-0,5-6", "bytes=0-0, -1", "bytes=90-99,0-9", "bytes=0-0,100-", "bytes=0-9,5-14"
    ),
    *given("/s/a.txt", "Range", "bytes=0-,0-", "bytes=0-60,20-80", "bytes=0-99,0-0"),
    *given("/s/a.txt", "Range", "items=0-0", "bytes =0-0", "bytes", "bytes="),
    *given("/s/a.txt", "Range", "bytes=5-2", "bytes=a", "bytes=-", "bytes=--1", "bytes=0-0,x", reason=MALFORMED),
    *given("/s/a.txt", "Range", "bytes=0-0,", reason=LIST),
    *given("/s/a.txt", "Range", "bytes=0-99999999999999999999", reason=FAR_END),
    *given("/s/a.txt", "Range", "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 80, 2)), reason=MANY),
    *given("/s/large.bin", "Range", "bytes=0-0", "bytes=1000-69999", "bytes=-70000", "bytes=0-0,100000-170000"),
    *given("/s/large.bin", "Range", "bytes=256000-"),
    *given("/s/empty.txt", "Range", "bytes=0-", "bytes=-1", "bytes=0-0"),
    *given("/s/absent", "Range", "bytes=0-0"),
    Case("/s/a.txt", {"Range": "bytes=0-0"}, HEAD_RANGE, "HEAD"),
    Case("/s/a.txt", {"Range": "bytes=200-"}, HEAD_NO_RANGE, "HEAD"),
    *[
        Case("/s/a.txt", {"Range": "bytes=0-0", "If-Range": value})
        for value in (ETAG, f"W/{ETAG}", '"x"', CHANGED, BEFORE, AFTER, "x", "")
    ],
    Case("/s/a.txt", {"Range": "bytes=200-", "If-Range": '"x"'}),
    Case("/s/a.txt", {"If-Range": '"x"'}),
    # codings
    *given("/s/app.css", "Accept-Encoding", "", "identity", "br", "gzip;q=0", "gzip;q=0.000", "notgzip", "gzipx"),
    *given("/s/app.css", "Accept-Encoding", "*;q=0", "gzip;q=2"),
    *given("/s/app.css", "Accept-Encoding", "gzip", "gzip, deflate, br", "gzip;q=0.5", "GZIP", reason=CODED),
    *given("/s/app.css", "Accept-Encoding", "x, gzip;q=0.001", reason=CODED),
    *given("/s/app.css", "Accept-Encoding", "*", reason=STAR),
    *given("/s/app.css", "Accept-Encoding", "x-gzip", reason=ALIAS),
    *given("/s/app.css", "Accept-Encoding", "identity;q=1, gzip;q=0.5", reason=WEIGHED),
    *given("/s/a.txt", "Accept-Encoding", "gzip", "*"),
    Case("/s/app.css", {"Accept-Encoding": "gzip", "Range": "bytes=0-9"}, CODED_RANGE),
    Case("/s/app.css", {"Accept-Encoding": "gzip"}, CODED, "HEAD"),
]

METHODS_WITH_BODY = ("POST", "PUT", "DELETE")
MORE_CONDITIONS = [
    *given("/s/a.txt", "If-None-Match", f" {ETAG} ", f"{ETAG},", f",{ETAG}", f'"x",,{ETAG}', f'"x",\t{ETAG}', " * "),
    *given("/s/a.txt", "If-None-Match", f'"x" {ETAG}', f"w/{ETAG}", f"'{ETAG}'", f"{ETAG}x", "W/", '""', '"*"'),
    *given("/s/a.txt", "If-None-Match", f'"a,b",{ETAG}', ETAG.upper(), ",".join(f'"{i}"' for i in range(500))),
    *given("/s/a.txt", "If-None-Match", ",".join([*(f'"{i}"' for i in range(500)), ETAG])),
    *given("/s/a.txt", "If-None-Match", f"*, {ETAG}", f"{ETAG}, *", f'"unclosed, {ETAG}', reason=NO_LIST),
    *given("/s/a.txt", "If-Match", f" {ETAG} ", f"{ETAG},", f",{ETAG}", f'"x",,{ETAG}', " *", '""', f'"x", W/{ETAG}'),
    *given("/s/a.txt", "If-Match", f"W/{ETAG}, {ETAG}"),
    *given("/s/a.txt", "If-Match", f"*, {ETAG}", reason=NO_LIST_TO_MATCH),
    *given("/s/a.txt", "If-Modified-Since", "Mon, 09 Sep 2001 01:46:40 GMT", "sun, 09 sep 2001 01:46:40 gmt"),
    *given("/s/a.txt", "If-Modified-Since", "Sun, 9 Sep 2001 01:46:40 GMT", "Sun, 09 Sep 01 01:46:40 GMT"),
    *given("/s/a.txt", "If-Modified-Since", "09 Sep 2001 01:46:40 GMT", "2001-09-09T01:46:40Z", "1000000000"),
    *given("/s/a.txt", "If-Modified-Since", "Sun, 32 Sep 2001 01:46:40 GMT", "Sun, 09 Sep 2001 25:46:40 GMT"),
    *given("/s/a.txt", "If-Modified-Since", f" {CHANGED} ", "Thu, 01 Jan 1970 00:00:00 GMT", "0", "-1"),
    *given("/s/a.txt", "If-Modified-Since", "Sunday, 09-Sep-99 01:46:40 GMT", "Sun Sep 09 01:46:40 2001"),
    *given("/s/a.txt", "If-Modified-Since", "Fri, 31 Dec 9999 23:59:59 GMT", reason=NOT_LATER),
    *given("/s/a.txt", "If-Modified-Since", "Sun, 09 Sep 2001 01:46:60 GMT", reason=NOT_LATER),
    *given("/s/a.txt", "If-Modified-Since", CHANGED.replace("GMT", "UTC"), CHANGED[:-4], reason=STRICT_DATE),
    *given("/s/a.txt", "If-Modified-Since", CHANGED.replace("GMT", "+0000"), reason=STRICT_DATE),
    *given("/s/a.txt", "If-Modified-Since", CHANGED.replace(", ", ",  "), reason=STRICT_DATE),
    *given("/s/a.txt", "If-Modified-Since", f"{CHANGED}; length=100", f"{CHANGED}, {CHANGED}", reason=STRICT_DATE),
    *given("/s/a.txt", "If-Unmodified-Since", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"),
    *given("/s/a.txt", "If-Unmodified-Since", "Sunday, 09-Sep-01 01:46:40 GMT", "Sun Sep  9 01:46:40 2001"),
    *given("/s/a.txt", "If-Unmodified-Since", "2001-09-09T01:46:40Z", "0", reason=NO_DATE),
    Case("/s/a.txt", {"If-Match": "*", "If-Modified-Since": CHANGED}),
    Case("/s/a.txt", {"If-Unmodified-Since": CHANGED, "If-Modified-Since": CHANGED}),
    Case("/s/a.txt", {"If-Modified-Since": CHANGED, "Range": "bytes=0-0"}),
    Case("/s/a.txt", {"If-Unmodified-Since": BEFORE, "Range": "bytes=0-0"}),
    Case("/s/a.txt", {"If-None-Match": '"x"', "Range": "bytes=0-0", "If-Range": ETAG}),
    Case("/s/a.txt", {"If-None-Match": ETAG, "Range": "bytes=500-", "If-Range": ETAG}),
    Case("/s/a.txt", {"If-Match": ETAG, "Range": "bytes=500-"}),
    Case("/s/empty.txt", {"If-None-Match": '"3b9aca00-0"'}),
    Case("/s/empty.txt", {"If-None-Match": "*"}),
    Case("/s/large.bin", {"If-Modified-Since": CHANGED}),
    Case("/s/sub/", {"If-None-Match": "*"}),
    Case("/s/sub", {"If-None-Match": "*"}),
    Case("/s/absent", {"If-Modified-Since": CHANGED}),
    Case("/s/absent", {"If-Match": '"x"'}),
    *[Case("/s/a.txt", {"If-None-Match": "*"}, ALLOWED, method) for method in METHODS_WITH_BODY],
    *[Case("/s/a.txt", {"If-Match": '"x"'}, ALLOWED, method) for method in METHODS_WITH_BODY],
    *[Case("/s/a.txt", {"Range": "bytes=0-0"}, ALLOWED, method) for method in METHODS_WITH_BODY],
    Case("/s/a.txt", {"If-Match": '"x"'}, OPTIONS, "OPTIONS"),
]
MORE_RANGES = [
    *given("/s/a.txt", "Range", "bytes=0-0,2-2,4-4", "bytes=10-19,5-14", "bytes=50-59,10-19,30-39", "bytes=0-0,0-0"),
    *given("/s/a.txt", "Range", "bytes=0-9,0-9,0-9", "bytes=-1,-2", "bytes=-1,0-0", "bytes=99-99,0-0", "bytes=0-,50-"),
    *given("/s/a.txt", "Range", "bytes=0-49,50-99", "bytes=0-49,49-99", "bytes=-100,-100", "bytes=100-,200-"),
    *given("/s/a.txt", "Range", "bytes=100-200,0-0,300-", "bytes=0-0 , 2-2", "bytes=0-0 ", "bytes=-00", "bytes=-0,0-0"),
    *given("/s/a.txt", "Range", "bytes=0-0,-0", "bytes=0-98", "bytes=0-99", "bytes=0-100", "bytes=98-100"),
    *given("/s/a.txt", "Range", "bytes=100-100", "bytes=00000000000000000000000000-0"),
    *given("/s/a.txt", "Range", "bytes=0-00000000000000000000000001", "bytes=9223372036854775807-"),
    *given("/s/a.txt", "Range", "bytes=0-9223372036854775807", "bytes=9223372036854775808-"),
    *given("/s/a.txt", "Range", "bytes=1-9223372036854775806", "Bytes=0-0", "byte=0-0", "bytes:0-0", "none"),
    *given("/s/a.txt", "Range", "seconds=0-1", "bytes=" + ",".join(["0-0"] * 32), "bytes=" + " " * 500 + "0-0"),
    *given("/s/a.txt", "Range", "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 64, 2))),
    *given("/s/a.txt", "Range", "bytes=" + ",".join(["0-0"] * 33), reason=MANY),
    *given("/s/a.txt", "Range", "bytes=0-0;2-2", "bytes=+0-0", "bytes=0x0-1", "bytes=0.0-1", reason=MALFORMED),
    *given("/s/a.txt", "Range", "bytes=1-0", "bytes=,", "bytes=0", "bytes=0-0-0", "bytes=0--1", reason=MALFORMED),
    *given("/s/a.txt", "Range", "bytes=0-0, bytes=2-2", "bytes=*", "bytes=0-*", reason=MALFORMED),
    *given("/s/a.txt", "Range", "bytes=0 - 0", "bytes=0- 0", reason=LOOSE_RANGE),
    *given("/s/a.txt", "Range", "bytes=\t0-0", "bytes=,0-0", "bytes=,,0-0,,", reason=LIST),
    *given("/s/a.txt", "Range", "bytes=-99999999999999999999", reason=FAR_END),
    *given("/s/empty.txt", "Range", "bytes=-0", "bytes=0-0,1-1", "x", "bytes=-5,0-"),
    *given("/s/empty.txt", "Range", "bytes=1-", "bytes=5-2", reason=OF_NOTHING),
    *given("/s/large.bin", "Range", "bytes=255999-", "bytes=0-255999", "bytes=0-65535", "bytes=65536-131071"),
    *given("/s/large.bin", "Range", "bytes=-256000", "bytes=-256001", "bytes=0-0,-1,100000-200000"),
    *given("/s/large.bin", "Range", "bytes=100000-100000,0-0"),
    *[Case(target, {"Range": "bytes=0-2"}) for target in ("/s/sub/page.html", "/s/sub", "/s/sub/")],
    *[
        Case("/s/a.txt", {"Range": "bytes=0-0", "If-Range": value})
        for value in (f" {ETAG} ", f'{ETAG}, "x"', "*", "Sunday, 09-Sep-01 01:46:40 GMT", "Sun Sep  9 01:46:40 2001")
    ],
    *[
        Case("/s/a.txt", {"Range": "bytes=0-0", "If-Range": value})
        for value in ("Fri, 31 Dec 9999 23:59:59 GMT", ETAG.strip('"'), f"{ETAG}x", '""', "W/*")
    ],
    Case("/s/a.txt", {"Range": "bytes=0-0", "If-Range": CHANGED.replace("GMT", "UTC")}, STRICT_IF_RANGE),
    Case("/s/a.txt", {"Range": "bytes=0-0,5-6", "If-Range": ETAG}),
    Case("/s/a.txt", {"Range": "x", "If-Range": ETAG}),
    Case("/s/a.txt", {"Range": "bytes=500-", "If-Range": ETAG}),
    Case("/s/a.txt", {"Range": "bytes=500-", "If-Range": CHANGED}),
    Case("/s/empty.txt", {"Range": "bytes=0-0", "If-Range": '"3b9aca00-0"'}),
    *[Case("/s/a.txt", {"Range": "bytes=0-0", "If-Range": value}, HEAD_RANGE, "HEAD") for value in (ETAG, CHANGED)],
    Case("/s/a.txt", {"Range": "bytes=0-0", "If-Range": '"x"'}, None, "HEAD"),
]
MORE_CODINGS = [
    *given("/s/app.css", "Accept-Encoding", "gzip;q=0.", "gzip;q=.5", "gzip;q=1.001", "gzip;q=0.0001", "gzip;q=-1"),
    *given("/s/app.css", "Accept-Encoding", "gzip;q=x", "gzip;q", "gzip;x=y", "gzip;q=1;x", "gzip;level=9", ","),
    *given("/s/app.css", "Accept-Encoding", "deflate, gzip;q=0", "identity;q=0", "identity;q=0, *;q=0", "deflate"),
    *given("/s/app.css", "Accept-Encoding", "gzip;q=0, *", "identity;q=0.5, *;q=0.1", "x" * 300, "x-compress"),
    *given("/s/app.css", "Accept-Encoding", "gzip;q=1.0", "gzip; q=0.5", "gzip ;q=0.5", "gzip;Q=0.5", reason=CODED),
    *given("/s/app.css", "Accept-Encoding", "gzip,", ",gzip", "identity;q=0, gzip", "*;q=0, gzip", reason=CODED),
    *given("/s/app.css", "Accept-Encoding", "compress, gzip", "br;q=1, gzip;q=0.1", "identity, gzip", reason=CODED),
    *given("/s/app.css", "Accept-Encoding", "identity;q=0.5, gzip;q=1.0", "gzip;q=1,identity;q=0", reason=CODED),
    *given("/s/app.css", "Accept-Encoding", "gzip, gzip;q=0", reason=CONTRADICTORY),
    *given("/s/app.css", "Accept-Encoding", "gzip;q=0, gzip", reason=CONTRADICTORY_AFTER_ALL),
    *given("/s/app.css", "Accept-Encoding", "gzip\t", reason=TAB),
    *[Case("/s/app.css", {"Accept-Encoding": "gzip", "If-None-Match": tag}, CODED) for tag in (ETAG, '"x"')],
    Case("/s/app.css", {"Accept-Encoding": "gzip", "If-Modified-Since": CHANGED}, CODED_TAG),
    Case("/s/app.css.br"),
    Case("/s/app.css.gz", {}, ARCHIVE),
    Case("/s/app.css.gz", {"Accept-Encoding": "gzip"}, ARCHIVE),
    Case("/s/app.css.gz", {"Range": "bytes=0-3"}, ARCHIVE),
    Case("/s/both.css"),
    *given("/s/both.css", "Accept-Encoding", "br;q=0", "brotli", "identity"),
]
WITH_BROTLI = [
    *given("/s/both.css", "Accept-Encoding", "br", "gzip", "gzip, br", "br, gzip", "br;q=0, gzip", "BR", reason=CODED),
    *given("/s/both.css", "Accept-Encoding", "gzip, deflate, br, zstd", "br;q=0.5, gzip;q=0.5", reason=CODED),
    *given("/s/both.css", "Accept-Encoding", "br;q=0.1, gzip", "identity;q=1, br;q=0.5", reason=WEIGHED),
    *given("/s/both.css", "Accept-Encoding", "*", reason=STAR),
    Case("/s/both.css", {"Accept-Encoding": "br", "Range": "bytes=0-3"}, CODED_RANGE),
    Case("/s/both.css", {"Accept-Encoding": "br"}, CODED, "HEAD"),
]
MORE_PATHS = [
    *plain("/s/a%2etxt", "/s/a%2Etxt", "/s/%61%2e%74%78%74", "/s/...", "/s/a.txt%2f", "/s/a.txt%2fx", "/s/a.txt;x=1"),
    *plain("/s/a.txt:80", "/s/a.txt+", "/s/a+b", "/s/%23", "/s/%3f", "/s/a.txt%3fv=1", "/s/a.txt%0a", "/s/a.txt%0d%0a"),
    *plain("/s/a.txt%09", "/s/a.txt%7f", "/s/a.txt%c0%80", "/s/%c0%ae%c0%ae/secret.txt", "/s/%252e%252e/secret.txt"),
    *plain("/s/a.txt\\", "/s\\a.txt", "/s/sub\\page.html", "/s/~", "/s/~root", "/s/a.txt~", "/s/*", "/s/%2a"),
    *plain("/s/[a].txt", "/s/%5ba%5d", "/s/'", '/s/"', "/s/<x>", "/s/|", "/s/^", "/s/`", "/s/{}", "/s/" + "x/" * 200),
    *plain("/s/" + "x" * 255, "/s/" + "x" * 256, "/s/" + "x" * 5000, "/s/inner.txt/", "/s/a.txt?%zz", "/s/a.txt?%00"),
    *plain("/s/a.txt??", "/s/a.txt?a=/../../", "/s/sub/index.html?x", "/S/a.txt", "/s/%e9"),
    *plain("/s/sub/%2e/page.html", "/s/sub/%2e%2e/a.txt", "/s/../s/a.txt", "/s/sub//", "//s/a.txt", reason=ONE_NAME),
    *plain("/s/./", "/s/sub/..", "/s/sub/../", "/s/.", "/s/%2e", "/s//", "/s/?", reason=NO_INDEX),
    *plain("/s/%uff0e", "/s/sub/../../../etc/passwd", reason=NO_NAME),
    *plain("/s/door", reason=OUTSIDE_MOVED),
    *plain("/s/door/", reason=NO_INDEX),
    *plain("/s/door/x.txt", reason=OUTSIDE),
    *plain("/s/a.txt#frag", reason=FRAGMENT),
    *plain("/s/\xc3\xa9%20\xc3\xbc.txt", reason=RAW),
    *plain("/s/\xe9", reason=RAW_ABSENT),
    *plain("http://localhost/s/a.txt", "HTTP://LOCALHOST/s/a.txt", "http://other/s/a.txt", "http://localhost"),
    *plain("http://localhost:8080/s/a.txt", "https://localhost/s/a.txt", "http://localhost/s/absent"),
    *plain("http://localhost/s/sub", "http:///s/a.txt", "//localhost/s/a.txt", "localhost:80", "*", "s/a.txt", "?x"),
    *plain("http://localhost/s/a.txt?x=1", "http://u:p@localhost/s/a.txt"),
    *plain("http://localhost/s/../s/a.txt", reason=ONE_NAME),
    *plain("ftp://localhost/s/a.txt", reason=NOT_HTTP),
]
MORE_METHODS = [
    *[Case(target, {}, None, "HEAD") for target in ("/s/sub/", "/s/inner.txt", "*")],
    *[Case(target, {}, NO_INDEX, "HEAD") for target in ("/s/", "/s/door/")],
    Case("/s/door/x.txt", {}, OUTSIDE, "HEAD"),
    Case("/s/.env", {}, HIDDEN, "HEAD"),
    *by_method("/s/sub/", "POST", "DELETE", reason=ALLOWED),
    *by_method("/s/large.bin", "POST", "DELETE", reason=ALLOWED),
    *by_method("/s/inner.txt", "POST", "DELETE", reason=ALLOWED),
    *[Case(target, {}, OPTIONS, "OPTIONS") for target in ("/s/sub/", "/s/large.bin", "/s/inner.txt")],
    *by_method("/s/sub", "POST"),
    *by_method("/s/sub", "OPTIONS", "DELETE", reason=MOVED),
    *by_method("/s/", "POST", "OPTIONS", "DELETE", reason=ABSENT),
    *by_method("/s/door/x.txt", "POST", "OPTIONS", "DELETE", reason=ABSENT),
    *by_method("/s/.env", "POST", "OPTIONS", "DELETE", reason=ABSENT),
    *by_method("/s/a.txt", "LOCK", "MKCOL", "COPY", "MOVE", "REPORT", "LINK", reason=ALLOWED),
    *by_method("/s/a.txt", "PURGE", "QUERY", "SEARCH", reason=ALLOWED),
    *by_method("/s/a.txt", "get", "Head", reason=UNKNOWN_METHOD),
    *by_method("/s/a.txt", "CONNECT", reason=NO_TARGET),
    *by_method("/s/absent", "DELETE", "PATCH", "TRACE", "PROPFIND", reason=ABSENT),
    *by_method("*", "OPTIONS", reason=SERVER_WIDE),
]
OLD_CLIENTS = [
    *old("/s/a.txt", "/s/empty.txt", "/s/large.bin", "/s/sub", "/s/sub/", "/s/absent", "/s/app.css"),
    *[
        Case("/s/a.txt", {name: value}, None, "GET", "1.0")
        for name, value in (
            ("Range", "bytes=0-9"), ("Range", "bytes=0-0,5-6"), ("Range", "bytes=500-"), ("If-None-Match", ETAG),
            ("If-Modified-Since", CHANGED), ("If-Match", '"x"'), ("Connection", "keep-alive"),
        )
    ],
    Case("/s/a.txt", {}, None, "HEAD", "1.0"),
    Case("/s/a.txt", {}, ALLOWED, "POST", "1.0"),
    Case("/s/app.css", {"Accept-Encoding": "gzip"}, OLD_CODED, "GET", "1.0"),
]  # fmt: skip
CASES += MORE_CONDITIONS + MORE_RANGES + MORE_CODINGS + MORE_PATHS + MORE_METHODS + OLD_CLIENTS
if BROTLI.exists():
    CASES += WITH_BROTLI
