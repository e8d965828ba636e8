"""Protected downloads: a view decides who may have a file and names it in a header, the server sends the file.

``X-Accel-Redirect`` is a URI, as for nginx's ``internal`` locations, ``X-Sendfile`` a path, as for Apache and lighttpd.
Either is looked for below the directories of ``--internal`` only, as static files are. Of the app's response the
fields stay that they let stay; everything else is the file's, by the same rules as for static files. What can't be sent
is a plain error page for the client and a line in the error log that names the header's value.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from time import time
from typing import TYPE_CHECKING, Any

from ..adapter import StaticRoot
from ..files.delivery import CHANGES_MAX, Contents, FileChanged, represent
from ..files.representation import Representation
from ..files.served import ServedFile
from ..files.trees import DirectoryTree, state_in
from ..http.answer import Answer
from ..http.media_types import content_type
from ..http.negotiation import IDENTITY
from ..http.response_head import KINDS, AppHead
from .places import Nowhere, Place, as_meant, place_of_uri, places_of_path, prefix_of
from .static import REFUSALS, REFUSALS_TO_HEAD, STATUS_OF_ERROR

if TYPE_CHECKING:
    from ..h1.head import RequestLine

Headers = Sequence[tuple[str, str]]

ACCEL_REDIRECT, SENDFILE = "x-accel-redirect", "x-sendfile"
KEPT_BY_NGINX = frozenset({"cache-control", "content-disposition", "expires", "set-cookie"})
"""What the file's own fields do not say (ngx_http_upstream.c, ``redirect``). Content-Type and Accept-Ranges too."""
DESCRIBES_THE_BODY = frozenset(
    {
        "accept-ranges",
        "content-digest",
        "content-encoding",
        "content-length",
        "content-md5",
        "content-range",
        "content-type",
        "digest",
        "etag",
        "last-modified",
        "repr-digest",
    }
)
"""What is not kept beside X-Sendfile: it belongs to the body that the app did not send."""
DEFAULT_CACHING = "private, no-cache"
"""Where the view says nothing of caches: none but the client's own, and the view is asked each time."""


def kept_fields(header: str, headers: Headers, status: int) -> list[tuple[str, str]]:
    """The app's fields that go with the file, or with the ``status`` (an error) that is sent for want of it."""
    if status >= 400:
        return [pair for pair in headers if pair[0].lower() == "set-cookie"]
    if header == ACCEL_REDIRECT:
        return [pair for pair in headers if pair[0].lower() in KEPT_BY_NGINX]
    return [pair for pair in headers if (name := pair[0].lower()) not in DESCRIBES_THE_BODY and name not in KINDS]


def last_value(headers: Headers, name: str) -> str:
    """The value of a field, or ``""``."""
    return next((value.strip(" \t") for key, value in reversed(headers) if key.lower() == name), "")


def with_fields(answer: Answer, kept: Headers, ranges: bool = True) -> Answer:
    """``answer`` with the fields of the app, which count more than the file's of the same name."""
    names = {name.lower() for name, _ in kept}
    fields = list(kept)
    if not names & {"cache-control", "expires"}:
        fields.append(("Cache-Control", DEFAULT_CACHING))
    replaced = names | {"cache-control", "vary"}
    if not ranges and answer.status == 200:
        fields.append(("Accept-Ranges", "none"))
        replaced.add("accept-ranges")
    lines = answer.head.split(b"\r\n")[:-1]
    own = [line for line in lines[1:] if line.partition(b":")[0].decode("latin-1").lower() not in replaced]
    app = [(name + ": " + value).encode("latin-1") for name, value in fields]
    return Answer(answer.status, b"\r\n".join([lines[0], *own, *app, b""]), answer.body, answer.length)


class ProtectedFiles:
    """Answers in the place of responses that name a file below one of ``roots``, which have the longest prefix first.

    ``log_error`` gets one text for each that can't be sent. ``follow_links``: also where they lead out."""

    def __init__(
        self,
        roots: Sequence[StaticRoot],
        log_error: Callable[[str], None],
        follow_links: bool = False,
        clock: Callable[[], float] = time,
    ) -> None:
        self._roots = roots
        self._log_error = log_error
        self._follow_links = follow_links
        self._clock = clock
        self._contents = Contents()

    def __call__(self, line: RequestLine, environ: Mapping[str, Any], headers: Headers, head: AppHead) -> Answer | None:
        """The answer, with descriptors that belong to whoever gets it; ``None``: the app's response stands."""
        wish = wanted(head)
        if wish is None:
            return None
        header, value = wish
        method = "HEAD" if line.method == "HEAD" else "GET"
        ranges = last_value(headers, "accept-ranges").lower() != "none"
        fields = environ if ranges else {name: environ[name] for name in environ if name != "HTTP_RANGE"}
        try:
            answer = self._answer(header, value, method, fields, last_value(headers, "content-type"))
        except (Nowhere, OSError) as error:
            status = STATUS_OF_ERROR.get(error.errno or 0, 500) if isinstance(error, OSError) else 404
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self._log_error(f"{line.log}: {header.title()}: {value!r:.1000} can't be sent ({status}): {why}")
            answer = (REFUSALS_TO_HEAD if method == "HEAD" else REFUSALS)[status]
        return with_fields(answer, kept_fields(header, headers, answer.status), ranges)

    def _answer(self, header: str, value: str, method: str, fields: Mapping[str, Any], media_type: str) -> Answer:
        """The answer of the file alone; ``Nowhere`` or ``OSError`` where there is none."""
        places = [place_of_uri(value, self._roots)] if header == ACCEL_REDIRECT else places_of_path(value, self._roots)
        missing: FileNotFoundError | None = None
        for place in places:
            for _ in range(CHANGES_MAX):
                try:
                    now_s = int(self._clock())
                    return represent(self._look_up(place, media_type, now_s), method, fields, now_s, self._contents)
                except FileChanged:
                    continue
                except FileNotFoundError as error:
                    missing = error
                    break
        raise missing or OSError(errno.EBUSY, "it changes again and again")

    def _look_up(self, place: Place, media_type: str, now_s: int) -> ServedFile:
        """The file at a place, without encoded copies; of the type that the app declared, or else its name does."""
        state = state_in(DirectoryTree(place.directory, self._follow_links), place.name)
        representation = Representation(
            f"{place.directory}/{place.name}",
            IDENTITY,
            state,
            state,
            content_type=media_type or content_type(place.name),
            caching=DEFAULT_CACHING,
            varies=False,
            now_s=now_s,
        )
        return ServedFile(b"", [representation], [], [], 0)


def wanted(head: AppHead) -> tuple[str, str] | None:
    """Header (in lower case) and value by which a response names its file; ``None``: by none that counts.

    Any response may redirect, as with nginx; a path counts in a successful one, as with Apache."""
    given = {name.lower(): value for name, value in reversed(head.handed)}
    if ACCEL_REDIRECT in given:
        return ACCEL_REDIRECT, given[ACCEL_REDIRECT].strip(" \t")
    path = given.get(SENDFILE, "").strip(" \t")
    return (SENDFILE, path) if path and 200 <= head.status < 300 else None


class PassedOn:
    """Stands where no ``--internal`` is given: such responses go on to the server in front, which is said once."""

    def __init__(self, log_warning: Callable[[str], None]) -> None:
        self._log_warning = log_warning
        self._said = False

    def __call__(self, line: RequestLine, environ: Mapping[str, Any], headers: Headers, head: AppHead) -> None:
        """Leave the response as it is."""
        if self._said:
            return
        self._said = True
        name, value = head.handed[0]
        path = as_meant(value.strip(" \t"))
        if name.lower() == SENDFILE:
            fix = f"--internal /internal/={os.fsdecode(os.path.dirname(path)) or '/the/directory'}"
        else:
            fix = f"--internal {prefix_of(path)}=/the/directory"
        self._log_warning(
            f"{line.log}: the response names a file for a server in front ({name}: {value!r:.200}) and is passed on as "
            f"it is. If there is no such server, clients get no file; fix: {fix}"
        )
