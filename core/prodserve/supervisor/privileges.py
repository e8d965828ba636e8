"""Whose rights the project's code has: ``--user``, ``--group`` and ``--umask``.

Root starts the server, the supervisor stays root (it binds ports below 1024, ends workers, removes its files, and runs
no code of the project). Every generation process becomes the other user right after its ``fork``, before the
interpreter that will run the project is even started, and makes sure that there is no way back. What that user needs –
the folders, the logs – is looked at as that user, before anything is served.

The *first* process ran ``manage.py`` with root's rights until it was replaced: what that wrote belongs to root.
"""

from __future__ import annotations

import errno
import grp
import json
import os
import pwd
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from prodserve.config.options import Config
from prodserve.errors import ConfigError, Problem

ROOT = 0
NO_FILES = ("-", "none")
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


class Identity(NamedTuple):
    """A user as processes have it. Survives JSON as a list."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    """The supplementary ones, as ``initgroups`` would set them."""
    name: str
    """``""``: there is no entry for this number."""
    home: str

    def __str__(self) -> str:
        return f"{self.name} (uid {self.uid})" if self.name else f"uid {self.uid}"


class Need(NamedTuple):
    """Something that the user must be allowed: ``mode`` is that of ``os.access``."""

    where: str
    path: str
    mode: int
    what: str
    """What the user can't do without it."""
    fix: str


def find(user: str | None, group: str | None) -> Identity | None:
    """The user that is named, by name or number; ``None`` where none is. ``ConfigError`` for an unknown one."""
    if user is None and group is None:
        return None
    entry = None if user is None else _user(user)
    number = os.geteuid() if user is None else entry.pw_uid if entry is not None else int(user)
    if user is None:
        entry = _entry(number)
    if group is not None:
        gid = _group(group)
    elif entry is not None:
        gid = entry.pw_gid
    else:
        raise _refused("--user", f"uid {user} has no entry among the users, so its group is unknown", f"--group {user}")
    if entry is None:
        return Identity(number, gid, (gid,), "", "/")
    return Identity(number, gid, tuple(os.getgrouplist(entry.pw_name, gid)), entry.pw_name, entry.pw_dir)


def _user(user: str) -> pwd.struct_passwd | None:
    """The entry of a name or number; ``None`` for a number without one."""
    try:
        return pwd.getpwnam(user)
    except KeyError:
        if user.isascii() and user.isdigit():
            return _entry(int(user))
    raise _refused("--user", f"there is no user {user!r} here", f"sudo useradd --system {user}, or name another user")


def _entry(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def _group(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        if group.isascii() and group.isdigit():
            return int(group)
    raise _refused("--group", f"there is no group {group!r} here", f"sudo groupadd --system {group}, or name another")


def _refused(where: str, what: str, fix: str) -> ConfigError:
    return ConfigError([Problem(where, what, fix)])


def change(wanted: Identity | None, euid: int, egid: int, *, any_group: bool) -> Identity | None:
    """The user to become; ``None`` where the process is that user already, in ``any_group`` if none was named.
    ``ConfigError``: only root can change."""
    if wanted is None or (wanted.uid == euid and (any_group or wanted.gid == egid)):
        return None
    if euid != ROOT:
        what = f"only root can serve as {wanted}, and this process has uid {euid} and gid {egid}"
        raise _refused("--user" if wanted.uid != euid else "--group", what, "leave it out, or start the server as root")
    return wanted


def settled(record: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """The launch record with the ``identity`` of the generations, and with the environment that goes with it.

    Sets this process's umask, and creates the logs that are not there yet for that user. ``ConfigError`` names
    everything that this user may not do and has to.
    """
    if config.umask is not None:
        os.umask(config.umask)
    wanted = find(config.user, config.group)
    identity = change(wanted, os.geteuid(), os.getegid(), any_group=config.group is None)
    environ = dict(record["environ"])
    if identity is not None:
        environ = environ_of(identity, environ)
        for path in (config.access_logfile, config.error_logfile):
            if path not in NO_FILES:
                _create(path, identity)
    unmet = missing(identity, list(needs(record, config)))
    if unmet:
        raise ConfigError(unmet)
    return {**record, "identity": identity, "environ": environ}


def environ_of(identity: Identity, environ: Mapping[str, str]) -> dict[str, str]:
    """``HOME``, ``USER`` and ``LOGNAME`` are those of the user, the rest stays."""
    rest = {name: value for name, value in environ.items() if name not in ("HOME", "USER", "LOGNAME")}
    names = {"USER": identity.name, "LOGNAME": identity.name} if identity.name else {}
    return {**rest, "HOME": identity.home, **names}


def _create(path: str, identity: Identity) -> None:
    """A log for the user. One that is there stays as it is: in a folder that others can write to, root must not change
    the owner of what may be a link to any file. Where it can't be created, ``needs`` says so."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640)
    except OSError:
        return
    os.fchown(fd, identity.uid, identity.gid)
    os.close(fd)


def needs(record: Mapping[str, Any], config: Config) -> Iterator[Need]:
    """What a generation and its workers can't do without. Asks which logs exist."""
    folder = record["program"]["cwd"]
    yield Need("start", folder, os.X_OK, "enter the project's folder", f"chmod o+x {folder} and its parents")
    program = os.path.realpath(record["executable"])
    yield Need("start", program, os.X_OK, "run the interpreter", "make the virtual environment with a Python in /usr")
    for flag, path in (("--access-logfile", config.access_logfile), ("--error-logfile", config.error_logfile)):
        if path in NO_FILES:
            continue
        here = path if os.path.exists(path) else os.path.dirname(os.path.abspath(path))
        yield Need(flag, here, os.W_OK, "write", f'chown it, or "{flag} -" for the terminal or journal')
    if config.temp_dir is not None:
        yield Need("--temp-dir", config.temp_dir, os.W_OK | os.X_OK, "write to this folder", f"chown {config.temp_dir}")


def missing(identity: Identity | None, wanted: Iterable[Need]) -> list[Problem]:
    """Those of ``wanted`` that the user is not allowed, as problems. Asks in a child process that became the user."""
    wanted = list(wanted)
    if identity is None:
        unmet = _denied(wanted)
    else:
        try:
            unmet = _ask_as(identity, wanted)
        except OSError as error:
            raise _refused(
                "--user", f"can't become {identity}: {error.strerror}", "root needs CAP_SETUID, CAP_SETGID"
            ) from None
    who = "this user" if identity is None else str(identity)
    return [
        Problem(need.where, f"{who} may not {need.what}: {need.path}", need.fix)
        for at, need in enumerate(wanted)
        if at in unmet
    ]


def _denied(wanted: Iterable[Need]) -> list[int]:
    return [at for at, need in enumerate(wanted) if not os.access(need.path, need.mode)]


def _ask_as(identity: Identity, wanted: Iterable[Need]) -> list[int]:
    """``_denied`` as another user. ``OSError`` with the number and words of the child's."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _answer(identity, wanted, writer)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = json.loads(pipe.read() or b'"the process that asked was killed"')
    os.waitpid(pid, 0)
    if isinstance(answer, str):
        raise OSError(errno.EPERM, answer)
    return list(answer)


def _answer(identity: Identity, wanted: Iterable[Need], writer: int) -> NoReturn:
    """In the child."""
    try:
        try:
            become(identity)
            answer: list[int] | str = _denied(wanted)
        except OSError as error:
            answer = error.strerror or str(error)
        os.write(writer, json.dumps(answer).encode())
    finally:
        os._exit(0)


def become(identity: Identity) -> None:
    """Make this process that user's, for good. ``OSError`` where the system refuses, or would let it back."""
    os.setgroups(identity.groups)
    os.setgid(identity.gid)
    os.setuid(identity.uid)
    if identity.uid != ROOT and (_allowed(os.setuid) or (identity.gid != ROOT and _allowed(os.setgid))):
        raise OSError(errno.EPERM, "the system would let this process become root again")


def _allowed(setter: Any) -> bool:
    """Whether the way back to number 0 is open."""
    try:
        setter(ROOT)
    except OSError:
        return False
    return True


def in_container(environ: Mapping[str, str]) -> bool:
    """Whether this system is a container by one of the usual marks: there, root is not the machine's."""
    return bool(environ.get("container")) or any(map(os.path.exists, CONTAINER_MARKS))


def likely_user(folder: str) -> str:
    """Whom the project could be served as: the owner of its folder, or the user that Debian and others have for it."""
    owner = _entry(os.stat(folder).st_uid)
    if owner is not None and owner.pw_uid != ROOT:
        return owner.pw_name
    for name in ("www-data", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return "NAME"


def user_name() -> str:
    """That of this process; its number where it has none."""
    entry = _entry(os.geteuid())
    return str(os.geteuid()) if entry is None else entry.pw_name


def group_name(gid: int) -> str:
    """That of a group; its number where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
