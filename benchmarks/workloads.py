"""What is measured: for each workload the application, the right answer, the servers it is put to, and the targets.

A target compares the median of one metric of one server with that of another (``baseline``), or with a number alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.apps import HELLO
from benchmarks.browser import COUNTER
from benchmarks.trees import Tree

Kind = Literal["load", "download", "idle", "crowd", "memory", "growth"]


@dataclass(frozen=True)
class App:
    """A WSGI application: the servers import ``module`` in the folder ``site`` (a copy of it, prepared once).

    ``prodserve`` are the interpreter's arguments that serve it our way, where that is not ``-m prodserve module:name``.
    """

    module: str
    name: str
    needs: str
    site: str = ""
    prodserve: tuple[str, ...] = ()
    prepare: tuple[tuple[str, ...], ...] = ()


HELLO_APP = App("benchmarks.apps", "hello", needs="benchmarks")
FLASK_APP = App("benchmarks.apps.flask_hello", "app", needs="flask")
PAGE_APP = App(
    "notes.wsgi",
    "application",
    needs="django",
    site="benchmarks/apps/notes_site",
    prodserve=("manage.py", "prodserve"),
    prepare=(("migrate", "--run-syncdb", "--verbosity=0"), ("loaddata", "notes", "--verbosity=0")),
)
SITE_APP = App(
    "lights.wsgi",
    "application",
    needs="django",
    site="examples/django_site",
    prodserve=("manage.py", "prodserve"),
    prepare=(("migrate", "--verbosity=0"), ("collectstatic", "--no-input", "--verbosity=0"), ("prepare_demo",)),
)
SITE_PART = b"<h1>Eight centuries of light</h1>"


@dataclass(frozen=True)
class Target:
    """``metric`` of ``peer`` is to be at most ``at_most`` times that of ``baseline``, or at most that number itself."""

    metric: str
    peer: str
    baseline: str | None
    at_most: float


@dataclass(frozen=True)
class Workload:
    """One thing to measure. ``contains`` is a part of the right body, ``body`` all of it where it is known.

    With a ``tree`` the files under ``/static/`` are asked for instead, and the right body is the file's. ``COUNTER`` in
    ``path`` or in a value of ``fields`` stands for one of ``choices``, another in each request, in an order that looks
    random and is the same for all servers; where the choices are ranges, each has ``part_bytes``. Where it
    ``revalidates`` the validators that the server gave are sent back.
    """

    name: str
    title: str
    kind: Kind
    app: App
    peers: tuple[str, ...]
    contains: bytes
    body: bytes | None = None
    path: str = "/"
    varying: bool = False
    tree: Tree | None = None
    fields: tuple[tuple[str, str], ...] = ()
    choices: tuple[str, ...] = ()
    part_bytes: int = 0
    revalidates: bool = False
    status: int = 200
    workers: int = 1
    connections: int = 0
    targets: tuple[Target, ...] = ()


def named(workload: Workload) -> tuple[str, ...]:
    """The servers that the workload's targets are about, in their usual order."""
    wanted = {name for target in workload.targets for name in (target.peer, target.baseline)}
    return tuple(peer for peer in workload.peers if peer in wanted)


PICTURE = Tree("picture", ".png", 3000, 3000)
STYLE_SHEET = Tree("site", ".css", 100_000, 100_000, encoded=True)
PHOTOGRAPH = Tree("photograph", ".jpg", 1 << 20, 1 << 20)
FILM = Tree("film", ".mp4", 100 << 20, 100 << 20)
PICTURES = Tree("picture", ".png", 3000, 30_000, count=10_000)
LARGE_TREE = Tree("file", ".png", 10, 10, count=100_000)
SEEK_BYTES = 64 << 10
SEEKS = tuple(f"{start}-{start + SEEK_BYTES - 1}" for start in range(0, FILM.largest - SEEK_BYTES, SEEK_BYTES))

OURS = ("prodserve-greenlets", "prodserve-threads")
WSGI_SERVERS = (
    *OURS, "bjoern", "granian", "nginx-uwsgi", "uwsgi", "waitress", "gunicorn-gevent", "gunicorn-gthread",
)  # fmt: skip
FRAMEWORK_SERVERS = (*OURS, "granian", "nginx-uwsgi", "gunicorn-gevent", "gunicorn-gthread")
FILE_SERVERS = (*OURS, "nginx")
CPU, PSS, PER_CONNECTION, UNANSWERED = "cpu_us", "pss_mib", "bytes_per_connection", "unanswered"
CPU_GB, LATER, MORE = "cpu_ms_gb", "later_s", "more_mib"


def _cpu(peer: str, **at_most: float) -> tuple[Target, ...]:
    return tuple(Target(CPU, peer, baseline.replace("_", "-"), limit) for baseline, limit in at_most.items())


FRAMEWORK_TARGETS = tuple(target for ours in OURS for target in _cpu(ours, gunicorn_gevent=0.6, gunicorn_gthread=0.6))

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload(
            "hello", "WSGI hello, the same 16 fields each time", "load", HELLO_APP, WSGI_SERVERS, HELLO, HELLO,
            targets=(
                *_cpu("prodserve-greenlets", bjoern=1.0, granian=0.65, nginx_uwsgi=0.3, gunicorn_gevent=0.1),
                *_cpu("prodserve-threads", bjoern=1.05, granian=0.7, gunicorn_gthread=0.1),
            ),
        ),
        Workload(
            "hello-vary", "WSGI hello, Cookie and User-Agent new in each request", "load", HELLO_APP,
            (*OURS, "bjoern", "granian"), HELLO, HELLO, varying=True,
            targets=_cpu("prodserve-greenlets", bjoern=1.5, granian=1.0),
        ),
        Workload(
            "static-3k", "static file of 3,000 bytes", "load", HELLO_APP, (*FILE_SERVERS, "granian"), b"",
            path="/static/picture.png", tree=PICTURE, targets=_cpu("prodserve-greenlets", nginx=0.85),
        ),
        Workload(
            "static-304", "the same, unchanged: If-None-Match and If-Modified-Since", "load", HELLO_APP, FILE_SERVERS,
            b"", path="/static/picture.png", tree=PICTURE, revalidates=True, status=304,
            targets=_cpu("prodserve-greenlets", nginx=0.9),
        ),
        Workload(
            "static-100k", "style sheet of 100,000 bytes, its encoded copy", "load", HELLO_APP, FILE_SERVERS, b"",
            path="/static/site.css", tree=STYLE_SHEET, targets=_cpu("prodserve-greenlets", nginx=1.0),
        ),
        Workload(
            "static-1m", "static file of 1 MiB", "download", HELLO_APP, FILE_SERVERS, b"", connections=32,
            path="/static/photograph.jpg", tree=PHOTOGRAPH, targets=_cpu("prodserve-greenlets", nginx=1.0),
        ),
        Workload(
            "static-100m", "static file of 100 MiB", "download", HELLO_APP, FILE_SERVERS, b"", connections=4,
            path="/static/film.mp4", tree=FILM, targets=(Target(CPU_GB, "prodserve-greenlets", "nginx", 1.1),),
        ),
        Workload(
            "static-range", "64 KiB out of 100 MiB, elsewhere each time", "download", HELLO_APP, FILE_SERVERS, b"",
            connections=32, part_bytes=SEEK_BYTES,
            path="/static/film.mp4", tree=FILM, fields=(("Range", f"bytes={COUNTER}"),), choices=SEEKS, status=206,
            targets=_cpu("prodserve-greenlets", nginx=1.1),
        ),
        Workload(
            "static-10k", "10,000 files of 3,000 to 30,000 bytes in random order", "load", HELLO_APP, FILE_SERVERS,
            b"", path=f"/static/{COUNTER}", tree=PICTURES, choices=PICTURES.names(),
            targets=_cpu("prodserve-greenlets", nginx=1.2),
        ),
        Workload(
            "flask-hello", "Flask hello", "load", FLASK_APP, FRAMEWORK_SERVERS, b"Hello, World!",
            targets=FRAMEWORK_TARGETS,
        ),
        Workload(
            "django-page", "Django page: one row by a query, a small template (SQLite)", "load", PAGE_APP,
            FRAMEWORK_SERVERS, b"<h1>Second note</h1>", targets=FRAMEWORK_TARGETS,
        ),
        Workload(
            "django-site", "front page of the example Django site: 14 rows, templates with a base (SQLite)", "load",
            SITE_APP, FRAMEWORK_SERVERS, SITE_PART, targets=FRAMEWORK_TARGETS,
        ),
        Workload(
            "idle", "idle keep-alive connections", "idle", HELLO_APP,
            (*OURS, "bjoern", "granian", "nginx", "gunicorn-gevent", "gunicorn-gthread"), HELLO, connections=10_000,
            targets=tuple(Target(PER_CONNECTION, ours, None, 800) for ours in OURS),
        ),
        Workload(
            "crowd", "idle connections held by 4 workers, each answered again", "crowd", HELLO_APP, OURS, HELLO,
            workers=4, connections=50_000, targets=tuple(Target(UNANSWERED, ours, None, 0) for ours in OURS),
        ),
        Workload(
            "memory", "4 workers of the Django site after 500 requests", "memory", SITE_APP,
            ("prodserve-auto", *OURS, "granian", "gunicorn-gevent", "gunicorn-gthread"), SITE_PART,
            workers=4, targets=(Target(PSS, "prodserve-auto", "gunicorn-gevent", 0.6),),
        ),
        Workload(
            "large-tree", "100,000 static files beside none, 2 workers, each asked for once", "growth", HELLO_APP,
            OURS, HELLO, path=f"/static/{COUNTER}", tree=LARGE_TREE, choices=LARGE_TREE.names(), workers=2,
            targets=(Target(LATER, "prodserve-greenlets", None, 1), Target(MORE, "prodserve-greenlets", None, 60)),
        ),
    )
}  # fmt: skip
"""Every workload by name, in the order in which they run."""
