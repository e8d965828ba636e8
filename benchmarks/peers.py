"""The servers: how each is started, whether it keeps an access log, and what must be there for it.

Every entry is the server's fastest sensible setting on one core. Limits on connections and keep-alive are raised for
all of them alike, so that the idle connections can be measured; access logs are on where the last column says so.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.workloads import App

SCRIPTS = Path(sys.executable).parent
CONNECTIONS = 19_000
KEEP_ALIVE_S = 300
NGINX_BROTLI = Path("/usr/lib/nginx/modules/ngx_http_brotli_static_module.so")
THREADS = 8


@dataclass(frozen=True)
class Job:
    """What a server is to do: serve ``app``, and files of ``static`` (a folder) under ``/static/``.

    ``encoded``: copies in other codings lie beside them.
    """

    app: App
    port: int
    folder: Path
    workers: int = 1
    static: Path | None = None
    encoded: bool = False

    @property
    def target(self) -> str:
        """``module:callable``."""
        return f"{self.app.module}:{self.app.name}"


@dataclass(frozen=True)
class Launch:
    """The commands of one server, all running at the same time, and the files that they read."""

    commands: tuple[tuple[str, ...], ...]
    files: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """One server: ``launch`` makes its commands, ``needs`` are modules (``.name``) and programs (``name``)."""

    name: str
    launch: Callable[[Job], Launch]
    needs: tuple[str, ...] = ()
    logs: str = "no"

    def missing(self) -> str | None:
        """Why it cannot run here, or ``None``."""
        absent = [need for need in self.needs if not _present(need)]
        return f"{', '.join(need.lstrip('.') for need in absent)} not installed" if absent else None


def _present(need: str) -> bool:
    if need.startswith("."):
        return importlib.util.find_spec(need[1:]) is not None
    return shutil.which(need) is not None or (SCRIPTS / need).exists()


def _prodserve(model: str, *options: str) -> Callable[[Job], Launch]:
    def launch(job: Job) -> Launch:
        command = [
            sys.executable, *(job.app.prodserve or ("-m", "prodserve", job.target)), f"127.0.0.1:{job.port}",
            "--workers", str(job.workers), "--worker-model", model, *options,
            "--keep-alive", str(KEEP_ALIVE_S), "--access-logfile", str(job.folder / "access.log"),
            "--no-compress",  # no peer makes encoded copies by itself
        ]  # fmt: skip
        if job.static is not None:
            command += ["--static", f"/static={job.static}"]
        return Launch((tuple(command),))

    return launch


def _gunicorn(*worker: str) -> Callable[[Job], Launch]:
    def launch(job: Job) -> Launch:
        return Launch(((
            sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{job.port}", "--workers", str(job.workers), *worker,
            "--keep-alive", str(KEEP_ALIVE_S), "--worker-connections", str(CONNECTIONS), "--graceful-timeout", "1",
            "--worker-tmp-dir", str(job.folder), "--no-control-socket", job.target,
        ),))  # fmt: skip

    return launch


def _granian(job: Job) -> Launch:
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1", "--no-ws", "--port", str(job.port),
        "--workers", str(job.workers), "--runtime-mode", "st", "--blocking-threads", "1", "--backlog", "2048",
        "--backpressure", str(CONNECTIONS),
    ]  # fmt: skip
    if job.static is not None:
        command += ["--static-path-route", "/static", "--static-path-mount", str(job.static)]
    return Launch(((*command, job.target),))


def _waitress(job: Job) -> Launch:
    return Launch(((
        sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{job.port}", f"--threads={THREADS}",
        f"--connection-limit={CONNECTIONS}", f"--channel-timeout={KEEP_ALIVE_S}", "--asyncore-use-poll",
        "--backlog=2048", job.target,
    ),))  # fmt: skip


def _bjoern(job: Job) -> Launch:
    return Launch(((sys.executable, "-m", "benchmarks.apps.bjoern_server", job.target, str(job.port)),))


def _uwsgi_command(job: Job, *socket: str) -> tuple[str, ...]:
    return (
        str(SCRIPTS / "pyuwsgi"), *socket, "--module", job.target, "--pythonpath", ".", "--master", "--die-on-term",
        "--processes", str(job.workers), "--disable-logging", "--listen", "2048",
        "--socket-timeout", str(KEEP_ALIVE_S), "--need-app",
    )  # fmt: skip


def _uwsgi(job: Job) -> Launch:
    # A thread per connection: with fewer, it serves only as many of the 64 connections as it has threads.
    return Launch((_uwsgi_command(job, "--http11-socket", f"127.0.0.1:{job.port}", "--threads", "64"),))


def _nginx(job: Job) -> Launch:
    config = job.folder / "nginx.conf"
    place = "location / { return 200 'Hello, world!\\n'; default_type text/plain; }"
    if job.static is not None:
        place = f"location /static/ {{ alias {job.static}/; {'gzip_static on; gzip_vary on; ' if job.encoded else ''}"
        place += "brotli_static on; }" if job.encoded and NGINX_BROTLI.exists() else "}"
    return Launch((_nginx_command(config),), {config: nginx_config(job.port, job.folder, place)})


def _nginx_uwsgi(job: Job) -> Launch:
    config, unix = job.folder / "nginx.conf", job.folder / "uwsgi.sock"
    place = f"location / {{ include /etc/nginx/uwsgi_params; uwsgi_pass unix:{unix}; }}"
    uwsgi = _uwsgi_command(job, "--socket", str(unix), "--chmod-socket=666")
    return Launch((uwsgi, _nginx_command(config)), {config: nginx_config(job.port, job.folder, place)})


def _nginx_command(config: Path) -> tuple[str, ...]:
    return ("nginx", "-p", str(config.parent), "-c", str(config), "-e", str(config.parent / "nginx-error.log"))


def nginx_config(port: int, folder: Path, location: str) -> str:
    """nginx with one worker, what its manual advises for speed, and its access log written in batches as ours is."""
    module = f"load_module {NGINX_BROTLI};" if "brotli_static" in location else ""
    return f"""
{module}
daemon off; worker_processes 1; pid {folder}/nginx.pid; user root;
worker_rlimit_nofile {CONNECTIONS + 1000};
events {{ worker_connections {CONNECTIONS}; multi_accept on; }}
http {{
  include /etc/nginx/mime.types;
  access_log {folder}/nginx-access.log combined buffer=64k flush=1s;
  sendfile on; tcp_nopush on; tcp_nodelay on; server_tokens off;
  open_file_cache max=20000 inactive=60s; open_file_cache_valid 60s; open_file_cache_errors on;
  keepalive_timeout {KEEP_ALIVE_S}s; keepalive_requests 100000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port} backlog=2048; {location} }}
}}
"""


_GTHREAD = ("--worker-class", "gthread", "--threads", str(THREADS))

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("prodserve-greenlets", _prodserve("greenlets"), (".prodserve.__main__",), "yes, in batches"),
        Peer(
            "prodserve-threads",
            _prodserve("threads", "--slots", str(THREADS)),
            (".prodserve.__main__",),
            "yes, in batches",
        ),
        Peer("prodserve-auto", _prodserve("auto"), (".prodserve.__main__",), "yes, in batches"),
        Peer("bjoern", _bjoern, (".bjoern",)),
        Peer("granian", _granian, (".granian",)),
        Peer("nginx", _nginx, ("nginx",), "yes, in batches"),
        Peer("nginx-uwsgi", _nginx_uwsgi, ("nginx", "pyuwsgi"), "nginx yes, in batches"),
        Peer("uwsgi", _uwsgi, ("pyuwsgi",)),
        Peer("waitress", _waitress, (".waitress",)),
        Peer("gunicorn-gevent", _gunicorn("--worker-class", "gevent"), (".gunicorn", ".gevent")),
        Peer("gunicorn-gthread", _gunicorn(*_GTHREAD), (".gunicorn",)),
    )
}
"""Every server by name."""


def custom(name: str, command: str) -> Peer:
    """A server given on the command line; ``{port}`` and ``{app}`` (module:callable) in its words are filled in."""

    def launch(job: Job) -> Launch:
        words = [word.replace("{port}", str(job.port)).replace("{app}", job.target) for word in command.split()]
        return Launch((tuple(words),))

    return Peer(name, launch, logs="?")
