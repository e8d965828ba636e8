"""``prodserve unit``: the files with which systemd runs this project. All but ``this_project`` is pure: plain data in,
texts out.

The socket unit binds the addresses, so that a port below 1024 needs no root and a restart refuses no connection; the
service is what was typed, without the addresses. ``systemd-analyze verify`` accepts both.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..config.addresses import Bind
from ..config.options import Config
from ..supervisor.privileges import find, group_name, likely_user, user_name
from ..supervisor.program import Program

FOLDER = "/etc/systemd/system"
STOP_MARGIN_S = 10
WATCHDOG_S = 60
OPEN_FILES = 65536
KEPT_VARIABLES = re.compile(r"PRODSERVE_\w+|FLASK_APP|DJANGO_SETTINGS_MODULE|DJANGO_CONFIGURATION")
"""Those of the shell that decide what is served. Secrets stay out of what may be read by everybody."""
HOMES = ("/home/", "/root/")

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./~-]+", re.ASCII)

HARDENING = """\
# Nothing of this is needed to serve; it limits what a hole in the project can do. NoNewPrivileges also stops programs
# such as sendmail that have rights of their own (setuid).
NoNewPrivileges=yes
ProtectSystem=full
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native"""

WORD = "unit"


@dataclass(frozen=True)
class Project:
    """What the units are about."""

    program: str
    """How the user calls this, ``python manage.py prodserve``."""
    command: tuple[str, ...]
    """The words that start the server: absolute path of the interpreter first, without the word ``unit``."""
    folder: str
    user: str
    group: str
    environ: Mapping[str, str]
    homes: tuple[str, ...] = ()
    """Every path that has to be read: the interpreter's, links followed, too."""

    @property
    def name(self) -> str:
        """Of the units, from the project's folder."""
        return re.sub(r"[^A-Za-z0-9_.-]+", "-", self.folder.rstrip("/").rpartition("/")[2]).strip("-.") or "prodserve"


def units(project: Project, config: Config) -> Iterator[tuple[str, str]]:
    """Path and text of each file."""
    by_socket = all(map(bindable, config.bind))
    yield f"{FOLDER}/{project.name}.service", "\n".join(_service(project, config, by_socket)) + "\n"
    if by_socket:
        yield f"{FOLDER}/{project.name}.socket", "\n".join(_socket(project, config)) + "\n"


def bindable(bind: Bind) -> bool:
    """Whether a socket unit can stand for it: systemd looks no names up and chooses no ports."""
    if bind.kind != "tcp" or bind.host == "localhost":
        return bind.kind == "unix" or bind.port > 0
    try:
        return ipaddress.ip_address(bind.host).version > 0 and bind.port > 0
    except ValueError:
        return False


def printed(project: Project, config: Config) -> str:
    """Both files in one text; each begins with its path, so that a line of awk takes them apart again."""
    files = dict(units(project, config))
    names = " ".join(path.rpartition("/")[2] for path in reversed(files))
    head = (
        f"# To put them in place, append to the command that printed them ({project.program} unit …)\n"
        "#   | sudo awk '/^# \\/etc\\/systemd/ {file=$2} file {print > file}'\n"
        f"#   sudo systemctl daemon-reload && sudo systemctl enable --now {names}\n"
        f"# Then: systemctl status {project.name}, systemctl reload {project.name}, journalctl -u {project.name}\n\n"
    )
    return head + "\n".join(f"# {path}\n{text}" for path, text in files.items())


def _service(project: Project, config: Config, by_socket: bool) -> Iterator[str]:
    name = project.name
    yield "[Unit]"
    yield f"Description={_specifiers(name)}, served by prodserve"
    yield "After=network-online.target"
    yield "Wants=network-online.target"
    if by_socket:
        yield f"Requires={name}.socket"
    yield from ("", "[Service]")
    yield "# The supervisor says when it is ready, reloads and stops; its workers say nothing."
    yield "Type=notify"
    yield "NotifyAccess=main"
    yield f"User={project.user}"
    yield f"Group={project.group}"
    yield f"WorkingDirectory={_specifiers(project.folder)}"
    for variable, value in sorted(project.environ.items()):
        if KEPT_VARIABLES.fullmatch(variable):
            yield f"Environment={_quotes(_specifiers(f'{variable}={value}'))}"
    yield "# Passwords and keys, one NAME=VALUE a line, readable by root only. Without the file: none."
    yield f"EnvironmentFile=-/etc/{name}.env"
    words = [*without_addresses(project.command), "--bind", f"fd://{name}"] if by_socket else project.command
    yield f"ExecStart={' '.join(map(quoted, words))}"
    yield "# New code without a lost request; broken code is not taken over."
    yield "ExecReload=/bin/kill -HUP $MAINPID"
    yield "Restart=always"
    yield "RestartSec=1"
    yield "# A configuration that can't be served is not tried again."
    yield "RestartPreventExitStatus=2"
    yield f"# Loading may take {config.start_timeout:g} s; requests get {config.graceful_timeout:g} s at the end."
    yield f"TimeoutStartSec={math.ceil(config.start_timeout) + STOP_MARGIN_S}"
    yield f"TimeoutStopSec={math.ceil(config.graceful_timeout) + STOP_MARGIN_S}"
    yield "KillMode=mixed"
    yield "# Without a sign of life from the supervisor and at least one worker the service is started anew."
    yield f"WatchdogSec={WATCHDOG_S}"
    yield f"LimitNOFILE={OPEN_FILES}"
    yield "# /var/cache/prodserve for compressed copies of static files, /run/… for a --pid file."
    yield "CacheDirectory=prodserve"
    yield f"RuntimeDirectory={name}"
    yield from ("", HARDENING)
    reserved = not by_socket and any(bind.kind == "tcp" and 0 < bind.port < 1024 for bind in config.bind)
    yield f"CapabilityBoundingSet={'CAP_NET_BIND_SERVICE' if reserved else ''}"
    if reserved:
        yield "AmbientCapabilities=CAP_NET_BIND_SERVICE"
    if not any(path.startswith(HOMES) for path in (project.folder, *project.homes)):
        yield "ProtectHome=yes"
    yield from ("", "[Install]", "WantedBy=multi-user.target")


def _socket(project: Project, config: Config) -> Iterator[str]:
    yield "[Unit]"
    yield f"Description=Addresses of {_specifiers(project.name)}"
    yield from ("", "[Socket]")
    for bind in config.bind:
        yield f"ListenStream={_specifiers(bind.path if bind.kind == 'unix' else _address(bind.host, bind.port))}"
    yield f"FileDescriptorName={project.name}"
    yield f"Backlog={config.backlog}"
    if any(bind.kind == "unix" for bind in config.bind):
        yield "# Who may connect to the socket file: a proxy that is in this group."
        yield f"SocketUser={project.user}"
        yield f"SocketGroup={project.group}"
        yield "SocketMode=0660"
    else:
        yield "NoDelay=yes"
        yield "BindIPv6Only=ipv6-only"
    yield from ("", "[Install]", "WantedBy=sockets.target")


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{'127.0.0.1' if host == 'localhost' else host}:{port}"


def without_addresses(words: Sequence[str]) -> list[str]:
    """The command without ``--bind ADDRESS`` and ``--bind=ADDRESS``: the socket unit has them."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--bind":
            next(rest, None)
        elif not word.startswith("--bind="):
            kept.append(word)
    return kept


def command_words(executable: str, program: Program) -> tuple[str, ...]:
    """The command line that starts the server, from the one that printed the unit."""
    target = {"file": (program.target,), "m": ("-m", program.target), "c": ("-c", program.target)}[program.kind]
    rest = list(program.rest)
    at = max(at for at, word in enumerate(rest) if word == WORD and not (at and rest[at - 1].startswith("--")))
    del rest[at]
    return (executable, *program.flags, *target, *rest)


def this_project(command: str, program: Program, config: Config, environ: Mapping[str, str]) -> Project:
    """The project of this process, to be served by the user that was named, else by the owner of its folder."""
    user = config.user or (likely_user(program.cwd) if os.geteuid() == 0 else user_name())
    identity = find(user, config.group)
    assert identity is not None
    return Project(
        program=command,
        command=command_words(sys.executable, program),
        folder=program.cwd,
        user=user,
        group=config.group or group_name(identity.gid),
        environ=environ,
        homes=(sys.executable, os.path.realpath(sys.executable)),
    )


def quoted(word: str) -> str:
    """One word of a command line as systemd reads it (systemd.service(5)): ``%`` and ``$`` mean nothing in it."""
    return _quotes(_specifiers(word).replace("$", "$$"))


def _quotes(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")
