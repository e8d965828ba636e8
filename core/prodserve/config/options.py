"""The settings of the server: one declaration each, and nothing about a setting is written down anywhere else.

Each field of ``Config`` declares name, type and default; ``about(...)`` adds how it is read, what help says, the
group in help, and whether a reload may change it. ``OPTIONS`` is the same as a table. From it come the command
line (``arguments``), the keys of ``PRODSERVE`` in the framework's settings, the ``PRODSERVE_*`` variables
(``resolve``), ``--explain`` (``explain``) and the page docs/settings.md (``page``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from .addresses import DEFAULT_BIND, Bind
from .kinds import (
    ADDRESSES,
    INTERNAL_ROOTS,
    NAME,
    PATH,
    PREFIX_SECONDS,
    STATIC_ROOTS,
    SWITCH,
    TARGET,
    UMASK,
    Kind,
    choice,
    optional,
    seconds,
    size,
    whole,
)

ADDRESS, PROCESSES, RIGHTS, TIMES, LIMITS, LOGS, FILES = (
    "addresses",
    "processes and execution",
    "user and rights",
    "timeouts, in seconds",
    "limits",
    "logs",
    "static files and safety",
)


def about(group: str, kind: Kind, help: str, *, reload: bool = False) -> dict[str, Any]:
    """What a field of ``Config`` says of itself besides name, type and default."""
    return {"group": group, "kind": kind, "help": help, "reload": reload}


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings, parsed. ``None`` stands for "decided by the server", as each help text says."""

    bind: tuple[Bind, ...] = field(
        default=(DEFAULT_BIND,),
        metadata=about(
            ADDRESS,
            ADDRESSES,
            "Listen on this address: 8000, 0:8000 (every IPv4 address), [::]:8000 (every IPv6 address), "
            "app.local:8000, unix:/run/app.sock, or fd://3 and fd://NAME for sockets that systemd passes. May be "
            "repeated. Port 0 picks a free one.",
        ),
    )
    backlog: int = field(
        default=2048,
        metadata=about(ADDRESS, whole(1, 65535), "Connections that the system keeps waiting until a worker accepts."),
    )
    workers: int | None = field(
        default=None,
        metadata=about(
            PROCESSES,
            optional(whole(1, 1024), "auto"),
            "Worker processes. auto: one for each CPU that this container may use (affinity mask and cgroup quota, "
            "not the machine's cores).",
        ),
    )
    worker_model: str = field(
        default="auto",
        metadata=about(
            PROCESSES,
            choice("auto", "greenlets", "threads"),
            "How application code runs. greenlets: thousands of waiting requests cost little, but every driver must "
            "cooperate. threads: everything works. auto looks at the project and says in the banner what it chose "
            "and why.",
        ),
    )
    slots: int | None = field(
        default=None,
        metadata=about(
            PROCESSES,
            optional(whole(1, 100_000), "auto"),
            "Requests that application code handles at the same time, in each worker. auto: 100 greenlets or 8 "
            "threads. Workers times slots is also the most database connections that can be open.",
            reload=True,
        ),
    )
    queue_size: int = field(
        default=1024,
        metadata=about(
            PROCESSES,
            whole(0, 1_000_000),
            "Requests that wait for a free slot, in each worker. More are answered with 503 and Retry-After at once.",
            reload=True,
        ),
    )
    max_requests: int = field(
        default=0,
        metadata=about(
            PROCESSES,
            whole(0, 1_000_000_000_000),
            "Replace a worker that has answered so many requests, for applications that leak. Its successor serves "
            "before it ends. 0: never.",
        ),
    )
    max_requests_jitter: int = field(
        default=0,
        metadata=about(
            PROCESSES,
            whole(0, 1_000_000_000),
            "Up to so many requests more, by chance, so that not all workers are replaced at the same time.",
        ),
    )
    max_memory: int = field(
        default=0,
        metadata=about(
            PROCESSES,
            size(0),
            "Replace a worker whose resident memory (RSS, as ps shows it) exceeds this, such as 500M. Its successor "
            "serves before it ends. 0: never.",
        ),
    )
    worker_connections: int | None = field(
        default=None,
        metadata=about(
            PROCESSES,
            optional(whole(1, 10_000_000), "auto"),
            "Open connections in each worker; idle ones cost little. auto: as many as the limit of open files allows.",
            reload=True,
        ),
    )
    poller: str = field(
        default="auto",
        metadata=about(
            PROCESSES,
            choice("auto", "epoll", "watchers"),
            "How a worker waits for its connections. auto: epoll where the system has it, else one gevent watcher "
            "for each connection.",
            reload=True,
        ),
    )
    warm_up: str | None = field(
        default="/",
        metadata=about(
            PROCESSES,
            optional(TARGET, "none"),
            "The request that newly loaded code answers before it serves anybody. After a reload, a server error (5xx) "
            "or an exception means that the old code goes on serving; at the start it is a warning. none: no such "
            "request.",
            reload=True,
        ),
    )
    reload_trial: float = field(
        default=3.0,
        metadata=about(
            PROCESSES,
            seconds(),
            "After a reload, new and old workers serve side by side for so long; if a new one crashes within it, the "
            "old ones stay and the new ones go. 0: the old ones end as soon as the new ones serve.",
        ),
    )
    reload: bool = field(
        default=False,
        metadata=about(
            PROCESSES,
            SWITCH,
            "For development: reload whenever a Python file or a template of the project changes. Code that can't be "
            "loaded leaves the last good one serving. Needs watchfiles: pip install 'prodserve[reload]'.",
        ),
    )
    pid: str | None = field(
        default=None,
        metadata=about(
            PROCESSES, optional(PATH, "none"), "Write the process id of the supervisor, the one to signal, here."
        ),
    )
    user: str | None = field(
        default=None,
        metadata=about(
            RIGHTS,
            optional(NAME, "none"),
            "Root starts the server and binds its addresses; the project is loaded and served as this user. The "
            "supervisor stays root and runs no code of the project.",
        ),
    )
    group: str | None = field(
        default=None,
        metadata=about(
            RIGHTS, optional(NAME, "none"), "The group of those processes. Without it: the first group of --user."
        ),
    )
    umask: int | None = field(
        default=None,
        metadata=about(
            RIGHTS,
            optional(UMASK, "none"),
            "Rights that new files and Unix sockets do not get: 007 lets the group (--group www-data, for a proxy) "
            "connect to a socket, and nobody else. none: as the shell or service manager has it.",
        ),
    )
    keep_alive: float = field(
        default=75.0,
        metadata=about(
            TIMES,
            seconds(),
            "How long a connection may be idle between two requests. Behind a load balancer: longer than its own "
            "idle timeout. 0 closes after each response.",
            reload=True,
        ),
    )
    head_timeout: float = field(
        default=30.0,
        metadata=about(TIMES, seconds(0.1), "The whole head of a request must arrive within it.", reload=True),
    )
    body_timeout: float = field(
        default=60.0,
        metadata=about(TIMES, seconds(0.1), "The longest pause while the body of a request arrives.", reload=True),
    )
    min_body_rate: int = field(
        default=240,
        metadata=about(
            TIMES,
            whole(0, 1_000_000_000),
            "Bytes a second that a client must send of a body, besides: every byte earns the time that it takes at "
            "this rate, at most --body-timeout in advance. 0: pauses alone count.",
            reload=True,
        ),
    )
    write_timeout: float = field(
        default=60.0,
        metadata=about(
            TIMES,
            seconds(0.1),
            "How long a client may take nothing while a response waits for it. Streams that have nothing to send "
            "wait as long as they like.",
            reload=True,
        ),
    )
    min_write_rate: int = field(
        default=240,
        metadata=about(
            TIMES,
            whole(0, 1_000_000_000),
            "Bytes a second that a client must read while a response waits for it: what it takes earns time as with "
            "--min-body-rate, at most --write-timeout. 0: any byte is enough.",
            reload=True,
        ),
    )
    graceful_timeout: float = field(
        default=30.0,
        metadata=about(TIMES, seconds(), "After a stop or reload, running requests get so long to finish."),
    )
    shutdown_delay: float = field(
        default=0.0,
        metadata=about(
            TIMES,
            seconds(),
            "After a stop, connections are still accepted for so long, each answer with Connection: close: for load "
            "balancers that learn of the end later than this server.",
        ),
    )
    start_timeout: float = field(
        default=120.0,
        metadata=about(
            TIMES,
            seconds(1.0),
            "Loading the application may take so long, and so may a worker until it serves. Beyond, it is stopped; "
            "where it hangs goes to the error log.",
        ),
    )
    hang_timeout: float = field(
        default=30.0,
        metadata=about(
            TIMES,
            seconds(),
            "A worker whose event loop shows no life for so long is replaced; where it hangs goes to the error log. "
            "0: never. A slow request alone does not count as hanging.",
        ),
    )
    timeout: float = field(
        default=0.0,
        metadata=about(
            TIMES,
            seconds(),
            "How long application code may take for a request. Beyond, the client is answered 503, the log shows where "
            "the code stood, and in a greenlet prodserve.RequestTimeout is raised there. 0: as long as it takes. "
            "A view changes its own by prodserve.deadline(SECONDS).",
            reload=True,
        ),
    )
    timeout_for: tuple[str, ...] = field(
        default=(),
        metadata=about(
            TIMES,
            PREFIX_SECONDS,
            "Another --timeout for the requests under a URL prefix: /reports/=120. May be repeated; the longest prefix "
            "counts.",
            reload=True,
        ),
    )
    slow_request: float = field(
        default=10.0,
        metadata=about(
            TIMES,
            seconds(),
            "A request that application code has been running for so long without an answer is named in the log once, "
            "with the place where it stands; nothing else happens to it. 0: never.",
            reload=True,
        ),
    )
    queue_timeout: float = field(
        default=30.0,
        metadata=about(
            TIMES,
            seconds(),
            "How long a request may wait for a free slot; then it is answered 503 with Retry-After, without running "
            "application code. 0: as long as it takes.",
            reload=True,
        ),
    )
    block_warning: float = field(
        default=0.25,
        metadata=about(
            TIMES,
            seconds(),
            "Greenlets: code that keeps the event loop from turning for so long is named in the log, for every other "
            "request waits for it. 0: never.",
            reload=True,
        ),
    )
    cancel_on_disconnect: bool = field(
        default=False,
        metadata=about(
            TIMES,
            SWITCH,
            "Greenlets: interrupt a GET or HEAD whose client is gone, by prodserve.ClientDisconnected. Without it the "
            'application may ask environ["prodserve.client_disconnected"]().',
            reload=True,
        ),
    )
    limit_connections_per_address: int | None = field(
        default=None,
        metadata=about(
            LIMITS,
            optional(whole(1, 10_000_000), "none"),
            "Open connections of one client address (of IPv6: one /64 network) in each worker; more are closed at "
            "once. Not counted: this machine and Unix sockets. Leave it at none where a proxy or load balancer on "
            "another machine speaks for all clients; a household or office behind one address needs some hundreds.",
            reload=True,
        ),
    )
    limit_request_line: int = field(
        default=8190,
        metadata=about(LIMITS, size(64), "Longest request line, in bytes; beyond: 414.", reload=True),
    )
    limit_request_fields: int = field(
        default=100,
        metadata=about(LIMITS, whole(1, 32_768), "Most header fields of a request; beyond: 431.", reload=True),
    )
    limit_request_field_size: int = field(
        default=8190,
        metadata=about(LIMITS, size(64), "Longest header field, in bytes; beyond: 431.", reload=True),
    )
    limit_request_head: int = field(
        default=65536,
        metadata=about(LIMITS, size(256), "Largest request head, all of it, in bytes; beyond: 431.", reload=True),
    )
    limit_request_body: int = field(
        default=1024**3,
        metadata=about(LIMITS, size(0), "Largest request body, such as 10M or 1G; beyond: 413.", reload=True),
    )
    body_memory: int = field(
        default=256 * 1024,
        metadata=about(
            LIMITS, size(0), "A request body is kept in memory up to here, then in a temporary file.", reload=True
        ),
    )
    client_memory: int = field(
        default=128 * 1024**2,
        metadata=about(
            LIMITS,
            size(1024**2),
            "What each worker keeps in memory for its clients, all together: request bodies, heads that come in "
            "parts, responses that wait for slow readers. What is beyond goes to temporary files.",
            reload=True,
        ),
    )
    temp_dir: str | None = field(
        default=None,
        metadata=about(
            LIMITS,
            optional(PATH, "auto"),
            "Folder of those temporary files. auto: the system's, as TMPDIR names it.",
            reload=True,
        ),
    )
    access_logfile: str = field(
        default="-",
        metadata=about(
            LOGS, PATH, 'One line for each request goes to this file; "-": standard output, "none": nowhere.'
        ),
    )
    error_logfile: str = field(
        default="-",
        metadata=about(LOGS, PATH, 'Start-up messages, warnings and errors go to this file; "-": standard error.'),
    )
    log_level: str = field(
        default="info",
        metadata=about(LOGS, choice("debug", "info", "warning", "error"), "The least severe messages that are logged."),
    )
    static: tuple[str, ...] = field(
        default=(),
        metadata=about(
            FILES,
            STATIC_ROOTS,
            "Serve the files of a folder under a URL prefix, besides the framework's own static files: "
            "/downloads/=/srv/downloads. May be repeated.",
            reload=True,
        ),
    )
    serve_static: str = field(
        default="auto",
        metadata=about(
            FILES,
            choice("auto", "always", "never", on="auto", off="never"),
            "Serve the framework's static files from the event loop, without running application code. auto: where "
            "the application would do no more than send the file. always: also past functions of a Flask app that run "
            "before or after every request, and past a static view of its own. never: the application serves them.",
            reload=True,
        ),
    )
    spa: tuple[str, ...] = field(
        default=(),
        metadata=about(
            FILES,
            STATIC_ROOTS,
            "Serve an application that runs in the browser: the files of a folder under a URL prefix, and its "
            "index.html for every page below that is no file: /app/=/srv/app/dist. May be repeated.",
            reload=True,
        ),
    )
    media: tuple[str, ...] = field(
        default=(),
        metadata=about(
            FILES,
            STATIC_ROOTS,
            "Serve files that users have uploaded, in such a way that browsers run nothing of them: "
            "/media/=/srv/media. May be repeated.",
            reload=True,
        ),
    )
    serve_media: bool = field(
        default=True,
        metadata=about(
            FILES,
            SWITCH,
            "Serve Django's MEDIA_ROOT under MEDIA_URL, to everybody, in that same way. --no-serve-media leaves it to "
            "the application.",
            reload=True,
        ),
    )
    follow_symlinks: bool = field(
        default=False,
        metadata=about(
            FILES,
            SWITCH,
            "Follow symbolic links that lead out of the folder that is served. Otherwise they are not found.",
            reload=True,
        ),
    )
    compress: bool = field(
        default=True,
        metadata=about(
            FILES,
            SWITCH,
            "Compress static files that have no .br, .zst or .gz beside them, once, in the background after the start, "
            "into a cache folder. brotli and zstd where they are installed, gzip always.",
            reload=True,
        ),
    )
    cache_dir: str | None = field(
        default=None,
        metadata=about(
            FILES,
            optional(PATH, "auto"),
            "The cache folder; servers of one user may share it. auto: in CACHE_DIRECTORY (systemd), XDG_CACHE_HOME or "
            "~/.cache, else in the system's folder for temporary files; where none can be written, nothing is cached.",
            reload=True,
        ),
    )
    cache_size: int = field(
        default=256 * 1024**2,
        metadata=about(
            FILES,
            size(1024**2),
            "Most bytes in the cache folder; what was not used for longest goes first.",
            reload=True,
        ),
    )
    internal: tuple[str, ...] = field(
        default=(),
        metadata=about(
            FILES,
            INTERNAL_ROOTS,
            "Send the files of a folder for views that answer with X-Accel-Redirect: /internal/name or X-Sendfile: "
            "/srv/protected/name, as nginx and Apache do. Clients cannot ask for them: /internal/=/srv/protected. May "
            "be repeated.",
            reload=True,
        ),
    )
    allow_debug: bool = field(
        default=False,
        metadata=about(
            FILES,
            SWITCH,
            "Serve a project in debug mode on an address that others can reach. Its error pages show source and "
            "settings to everybody.",
        ),
    )

    def to_plain(self) -> dict[str, object]:
        """As JSON has it: numbers, texts, booleans, lists of texts."""
        plain: dict[str, object] = {}
        for option in OPTIONS:
            value = getattr(self, option.name)
            plain[option.name] = [str(item) for item in value] if option.kind.many else value
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, object]) -> Config:
        """The inverse of ``to_plain``; ``ValueError`` or ``KeyError`` where it isn't one."""
        return cls(**{name: OPTION[name].kind.read(value) for name, value in plain.items()})


@dataclass(frozen=True)
class Option:
    """One row of the table: a setting as command lines, variables and pages see it."""

    name: str
    kind: Kind
    default: Any
    help: str
    group: str
    reload: bool
    """A reload (SIGHUP) takes a new value over from variables and the framework's settings; else a restart does."""

    @property
    def flag(self) -> str:
        """``--keep-alive``."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """``PRODSERVE_KEEP_ALIVE``."""
        return VARIABLE_PREFIX + self.name.upper()

    @property
    def key(self) -> str:
        """``KEEP_ALIVE``, in the framework's settings."""
        return self.name.upper()

    @property
    def default_text(self) -> str:
        """The default as it is shown."""
        return self.kind.text(self.default)


@dataclass(frozen=True)
class Action:
    """An option that prints something and ends the program: no setting."""

    name: str
    help: str

    @property
    def flag(self) -> str:
        """``--check-config``."""
        return "--" + self.name.replace("_", "-")


DEFAULT_SLOTS = {"greenlets": 100, "threads": 8}
"""What ``slots`` is where nothing else is said."""
VARIABLE_PREFIX = "PRODSERVE_"
POSITIONAL = "addrport"
ORDERS = ("reload", "stop")
"""Words in the place of the address: what the running server of the project shall do."""
POSITIONAL_HELP = (
    "Where to listen: 8000, 0:8000, [::1]:8000, unix:/run/app.sock … As the first --bind. "
    "Or what the running server of this project shall do: reload, stop. "
    "Or the word unit: print the files with which systemd runs this, and exit."
)
ACTIONS = (
    Action("check_config", "Check the configuration and load the application, print what is found, and exit."),
    Action("explain", "Print every setting, its value and where it comes from, and exit."),
)


def _option(declared: Any) -> Option:
    if declared.default is MISSING:
        raise TypeError(f"{declared.name} has no default")
    return Option(name=declared.name, default=declared.default, **declared.metadata)


OPTIONS: tuple[Option, ...] = tuple(map(_option, fields(Config)))
OPTION: dict[str, Option] = {option.name: option for option in OPTIONS}
