"""The traceback of an application's exception, as its author wants to read it: without the server's frames.

Leading frames of frameworks and of the standard library are left out too, up to the first frame of the user's own
code; where no frame is the user's (a framework refuses its settings), everything but our own frames stays.
Exceptions that caused it, or that belong to a group, are treated in the same way.
"""

from __future__ import annotations

import importlib
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Sequence
from traceback import FrameSummary, StackSummary, TracebackException, walk_stack
from types import FrameType

OUR_PACKAGES = ("prodserve", "django_prodserve", "flask_prodserve")


def app_traceback(error: BaseException) -> str:
    """The text of ``error`` with its traceback, lines ended by newlines, without what is not the user's business."""
    whole = TracebackException.from_exception(error)
    is_ours, is_library = _under(_our_folders()), _under(_library_folders())
    for part in _chain(whole):
        frames = trim(part.stack, is_ours, is_library)
        # Python itself prints no heading above an exception without frames, such as a syntax error in the first file.
        part.stack = StackSummary.from_list(frames) if frames else None  # type: ignore[assignment]
    return "".join(whole.format())


Stack = Sequence[tuple[FrameType, int]]
"""Frames and the lines at which they stand, the innermost first."""


def stack_of(frame: FrameType | None) -> Stack:
    """Where a running or waiting piece of code stands at this moment; what is read of its frames later may be later."""
    return list(walk_stack(frame)) if frame is not None else []


def app_frames(stack: Stack) -> list[FrameSummary]:
    """``stack`` in words, the innermost frame last, without what is not the user's business."""
    frames = StackSummary.extract(iter(stack))
    frames.reverse()
    return trim(frames, _under(_our_folders()), _under(_library_folders()))


def frame_lines(frames: Iterable[FrameSummary]) -> str:
    """``frames`` as tracebacks show them, to be put behind a line of the log: each line begins with its newline."""
    return "".join(f"\n{line}" for entry in StackSummary.from_list(frames).format() for line in entry.splitlines())


def place_of(frames: Sequence[FrameSummary], own_only: bool = False) -> FrameSummary | None:
    """The innermost frame of the user's own code; where there is none, unless ``own_only``, the innermost of all."""
    is_library = _under(_library_folders())
    own = [frame for frame in frames if not is_library(frame.filename)]
    return own[-1] if own else frames[-1] if frames and not own_only else None


def trim(
    frames: Sequence[FrameSummary], is_ours: Callable[[str], bool], is_library: Callable[[str], bool]
) -> list[FrameSummary]:
    """The frames worth showing; the two functions judge file names."""
    kept = [frame for frame in frames if not is_ours(frame.filename) and not _is_machinery(frame.filename)]
    for at, frame in enumerate(kept):
        if not is_library(frame.filename):
            return kept[at:]
    return kept


def _is_machinery(filename: str) -> bool:
    """Whether it is how Python imports: that an import failed is clear from the rest."""
    return filename.startswith("<frozen ") or filename == importlib.__file__


def _chain(whole: TracebackException) -> Iterator[TracebackException]:
    """``whole`` and every exception that is printed with it."""
    todo: list[TracebackException | None] = [whole]
    while todo:
        part = todo.pop()
        if part is not None:
            yield part
            todo += [part.__cause__, part.__context__, *(getattr(part, "exceptions", None) or ())]


def _under(folders: Sequence[str]) -> Callable[[str], bool]:
    beginnings = tuple(folder.rstrip(os.sep) + os.sep for folder in folders)
    return lambda filename: filename.startswith(beginnings)


def _our_folders() -> list[str]:
    files = (getattr(sys.modules.get(name), "__file__", None) for name in OUR_PACKAGES)
    return [os.path.dirname(file) for file in files if file]


def _library_folders() -> list[str]:
    """The standard library and installed packages; a project below such a folder would be strange."""
    return sorted({sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")})
