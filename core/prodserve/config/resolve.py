"""From what was given to one ``Config``: command line, then environment, then framework settings, then defaults.

``trace`` reads every value of every layer, also those that another layer overrides, and reports all problems at
once: unknown names with the nearest known one, unreadable values, and combinations that can't be meant. The
environment is passed in; nothing here reads the process's own.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError, Problem
from .options import ACTIONS, OPTION, OPTIONS, POSITIONAL, VARIABLE_PREFIX, Config, Option

ADDRESS_TYPED = "address"
"""Where the positional address stands: it has no flag."""
COMMAND_LINE, ENVIRONMENT, SETTINGS, DEFAULT = "command line", "environment", "settings", "default"


@dataclass(frozen=True)
class Source:
    """Where a value comes from: one of the four layers, and the name that the user wrote there."""

    layer: str
    where: str = ""


@dataclass(frozen=True)
class Resolution:
    """The configuration, and the source of each of its values."""

    config: Config
    sources: Mapping[str, Source]


@dataclass(frozen=True)
class _Entry:
    source: Source
    raw: object


_Layer = dict[str, _Entry]


def resolve(
    given: Mapping[str, object], environ: Mapping[str, str], settings: Mapping[str, object] | object = None
) -> Config:
    """The configuration; ``ConfigError`` carries every problem. ``given``: only what was typed, by option name."""
    return trace(given, environ, settings).config


def trace(
    given: Mapping[str, object], environ: Mapping[str, str], settings: Mapping[str, object] | object = None
) -> Resolution:
    """As ``resolve``, with the source of each value."""
    problems: list[Problem] = []
    layers = (
        _command_line(given, problems),
        _environment(environ, problems),
        _settings({} if settings is None else settings, problems),
    )
    values: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for layer in layers:
        for name, entry in layer.items():
            try:
                values.setdefault(name, OPTION[name].kind.read(entry.raw))
            except ValueError as error:
                problems.append(Problem(entry.source.where, str(error), _example(OPTION[name], entry.source)))
            sources.setdefault(name, entry.source)
    if problems:
        raise ConfigError(problems)
    config = Config(**values)
    wrong = [problem for check in CHECKS for problem in check(config)]
    if wrong:
        raise ConfigError(wrong)
    return Resolution(config, {option.name: sources.get(option.name, Source(DEFAULT)) for option in OPTIONS})


def reloaded(running: Config, resolved: Config) -> tuple[Config, tuple[Option, ...]]:
    """What a reload takes over from ``resolved``, and the options whose new value needs a restart."""
    plain = {option.name: getattr(resolved if option.reload else running, option.name) for option in OPTIONS}
    kept = tuple(
        option
        for option in OPTIONS
        if not option.reload and getattr(running, option.name) != getattr(resolved, option.name)
    )
    return Config(**plain), kept


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant: its letters differ a little, or its words have another order."""
    in_order = {_words(one): one for one in known}
    likely = difflib.get_close_matches(name, in_order.values(), n=1, cutoff=0.7)
    if likely:
        return likely[0]
    likely = difflib.get_close_matches(_words(name), in_order, n=1, cutoff=0.8)
    return in_order[likely[0]] if likely else None


def _words(name: str) -> str:
    return "_".join(sorted(name.split("_")))


def _command_line(given: Mapping[str, object], problems: list[Problem]) -> _Layer:
    layer: _Layer = {}
    actions = {action.name for action in ACTIONS}
    for name, raw in given.items():
        if name in OPTION:
            layer[name] = _Entry(Source(COMMAND_LINE, OPTION[name].flag), raw)
        elif name not in actions and name != POSITIONAL:
            problems.append(_unknown("--" + name.replace("_", "-"), name, lambda option: option.flag))
    first = given.get(POSITIONAL)
    if first is not None:
        more = layer["bind"].raw if "bind" in layer else ()
        rest = more if isinstance(more, list | tuple) else (more,)
        layer["bind"] = _Entry(Source(COMMAND_LINE, "address and --bind" if rest else ADDRESS_TYPED), (first, *rest))
    return layer


def _environment(environ: Mapping[str, str], problems: list[Problem]) -> _Layer:
    """``PRODSERVE_*``. An empty variable counts as absent: compose files leave them so."""
    layer: _Layer = {}
    for variable, raw in environ.items():
        if not variable.startswith(VARIABLE_PREFIX) or not raw.strip():
            continue
        name = variable.removeprefix(VARIABLE_PREFIX).lower()
        if name in OPTION and variable == OPTION[name].variable:
            layer[name] = _Entry(Source(ENVIRONMENT, variable), raw)
        else:
            problems.append(_unknown(variable, name, lambda option: option.variable))
    return layer


def _settings(settings: Mapping[str, object] | object, problems: list[Problem]) -> _Layer:
    """The dictionary ``PRODSERVE`` in the framework's settings; keys in any case, with dashes or underscores."""
    layer: _Layer = {}
    if not isinstance(settings, Mapping):
        what = f"is a {type(settings).__name__}, but must be a dictionary"
        problems.append(Problem("PRODSERVE", what, 'PRODSERVE = {"WORKERS": 2}'))
        return layer
    for key, raw in settings.items():
        name = str(key).strip().lower().replace("-", "_")
        where = f"PRODSERVE[{key!r}]"
        if name not in OPTION:
            problems.append(_unknown(where, name, lambda option: option.key))
        elif name in layer:
            problems.append(Problem(where, f"the same setting as {layer[name].source.where}", "keep one of the two"))
        else:
            layer[name] = _Entry(Source(SETTINGS, where), raw)
    return layer


def _unknown(where: str, name: str, form: Callable[[Option], str]) -> Problem:
    likely = nearest(name, OPTION)
    fix = "remove it; --explain shows every setting" if likely is None else f"did you mean {form(OPTION[likely])}?"
    return Problem(where, "there is no such setting", fix)


def _example(option: Option, source: Source) -> str:
    """A line in the form of the layer where the mistake is."""
    value = EXAMPLES.get(option.name, option.default_text)
    if source.where == ADDRESS_TYPED:
        return value
    if source.layer == ENVIRONMENT:
        return f"{option.variable}={value}"
    if source.layer == SETTINGS:
        return f'PRODSERVE = {{"{option.key}": "{value}"}}'
    return option.flag if option.kind.boolean else f"{option.flag} {value}"


EXAMPLES = {
    "workers": "2",
    "slots": "8",
    "worker_connections": "10000",
    "static": "/downloads/=/srv/downloads",
    "spa": "/app/=/srv/app/dist",
    "media": "/media/=/srv/media",
    "internal": "/internal/=/srv/protected",
    "pid": "/run/prodserve.pid",
    "temp_dir": "/var/tmp",
    "cache_dir": "/var/cache/mysite",
}
"""What to write where the default itself teaches nothing."""


def same_address_twice(config: Config) -> Iterator[Problem]:
    """The second bind of one address would fail with "address in use", which says nothing of the reason."""
    seen = set()
    for bind in config.bind:
        if bind in seen and not (bind.kind == "tcp" and bind.port == 0):
            yield Problem("--bind", f"{bind} is given twice", f"leave one --bind {bind} out")
        seen.add(bind)


def no_address(config: Config) -> Iterator[Problem]:
    """An empty list in the settings or in a variable such as ``,``."""
    if not config.bind:
        yield Problem("--bind", "no address to listen on", "--bind 127.0.0.1:8000")


def same_prefix_twice(config: Config) -> Iterator[Problem]:
    """Only one folder can answer for a URL prefix."""
    seen: dict[str, str] = {}
    for flag, roots in (("--static", config.static), ("--spa", config.spa), ("--media", config.media)):
        for root in roots:
            prefix = root.partition("=")[0].strip("/")
            if prefix in seen:
                yield Problem(flag, f"{seen[prefix]} and {root} have the same URL prefix", "leave one of them out")
            seen[prefix] = root


CHECKS: tuple[Callable[[Config], Iterator[Problem]], ...] = (no_address, same_address_twice, same_prefix_twice)
