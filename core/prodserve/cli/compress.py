"""``manage.py prodserve_compress`` and ``flask prodserve-compress``: copies of all static files, ahead of time.

Threads share the work: encoders let others run. What it prints is for people; the exit code is 0 where every file has
the copies that it is worth, and 1 otherwise.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import NamedTuple, NoReturn

from ..adapter import Adapter, StaticRoot
from ..compress.amounts import counted, size_text
from ..compress.beside import Result, clear, encode_beside
from ..compress.encoders import PACKAGES, Encoder, available
from ..compress.inventory import inventory
from ..compress.plan import Job, Plan, plan
from ..compress.report import table, verdict
from ..config.kinds import parse_whole
from ..config.options import Config
from ..config.resolve import resolve
from ..errors import ConfigError, Problem
from ..files.encoded import CODING_SUFFIXES
from ..files.roots import configured_roots
from ..files.trees import FileTree, tree_of
from ..supervisor.cpus import allowed_cpus

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
PROBLEMS_SHOWN = 20
ALIASES = {"brotli": "br", "zst": "zstd", "gz": "gzip"}


class Request(NamedTuple):
    """What was typed, read."""

    codings: tuple[str, ...]
    """Empty: all that are there."""
    jobs: int
    exclude: tuple[str, ...] = ()
    dry_run: bool = False


def compress_files(
    adapter: Adapter, roots: Callable[[Config], Sequence[StaticRoot]], given: Mapping[str, object], program: str
) -> NoReturn:
    """Make the copies for the files below ``roots`` (of the framework; it may raise ``ConfigError``) and below the
    folders that the settings of ``adapter`` add. Ends the process."""
    try:
        request = read_request(given, lambda: allowed_cpus().number)
        encoders = chosen(request.codings, available())
        config = resolve({}, os.environ, adapter.settings())
        folders = writable([*roots(config), *configured_roots(config)], request.dry_run)
    except ConfigError as error:
        problems = "\n".join(f"  {problem}".replace("\n", "\n  ") for problem in error.problems)
        sys.stderr.write(f"{program}: nothing can be compressed\n{problems}\n")
        sys.exit(EXIT_FAILED)
    for coding, package in PACKAGES.items():
        if coding not in encoders and not request.codings:
            print(f"no {CODING_SUFFIXES[coding]} copies: {package} is not installed (pip install {package})")
    sys.exit(_run(folders, request, encoders, config.follow_symlinks))


def read_request(given: Mapping[str, object], cpus: Callable[[], int]) -> Request:
    """The options by their names in ``compress_options``; ``ConfigError`` with all that is wrong."""
    problems = []
    words = [word.strip().lower() for word in str(given.get("codings") or "").split(",") if word.strip()]
    codings = tuple(dict.fromkeys(ALIASES.get(word, word) for word in words))
    unknown = [coding for coding in codings if coding not in CODING_SUFFIXES]
    if unknown:
        fix = f"--codings {','.join(CODING_SUFFIXES)}"
        problems.append(Problem("--codings", f"{', '.join(unknown)} is not known", fix))
    jobs = 1
    try:
        jobs = cpus() if given.get("jobs") is None else parse_whole(given["jobs"], 1, 1024)
    except ValueError as error:
        problems.append(Problem("--jobs", str(error), "--jobs 2"))
    if problems:
        raise ConfigError(problems)
    exclude = given.get("exclude") or ()
    patterns = tuple(map(str, exclude)) if isinstance(exclude, list | tuple) else (str(exclude),)
    return Request(codings, jobs, patterns, bool(given.get("dry_run")))


def chosen(codings: Sequence[str], found: Mapping[str, Encoder]) -> dict[str, Encoder]:
    """The encoders of ``codings``, or all that were found; ``ConfigError`` where one that was asked for is missing."""
    missing = [coding for coding in codings if coding not in found]
    if missing:
        raise ConfigError(
            [
                Problem("--codings", f"{PACKAGES[one]} is not installed", f"pip install {PACKAGES[one]}")
                for one in missing
            ]
        )
    return {coding: found[coding] for coding in codings or found}


def writable(roots: Sequence[StaticRoot], dry_run: bool) -> list[StaticRoot]:
    """The roots with a folder, each folder once; ``ConfigError`` where there is none, or one can't be written to."""
    folders = {root.directory: root for root in roots if root.directory is not None and not root.uploads}
    problems = [
        Problem(
            directory, "nothing can be written there by this user", "run it as the owner, or while the image is built"
        )
        for directory in folders
        if not dry_run and os.path.isdir(directory) and not os.access(directory, os.W_OK | os.X_OK)
    ]
    if not folders:
        problems.append(Problem("static files", "there is no folder of them"))
    if problems:
        raise ConfigError(problems)
    return list(folders.values())


def _run(roots: Sequence[StaticRoot], request: Request, encoders: Mapping[str, Encoder], follow_links: bool) -> int:
    """The exit code."""
    current = 0
    work: list[tuple[FileTree, Job]] = []
    for root in roots:
        tree = tree_of(root, follow_links)
        part: Plan = plan(inventory(root, tree, follow_links), tuple(encoders), request.exclude)
        current += part.current
        work += [(tree, job) for job in part.jobs]
    results: list[Result] = []
    try:
        results += _all(work, request, encoders)
    except KeyboardInterrupt:
        print("\ninterrupted; the copies that are there are whole, and the next run goes on from here")
        return EXIT_INTERRUPTED
    if request.dry_run:
        for result in results:
            if result.sizes:
                print(f"would write {result.job.file.path}: {', '.join(result.sizes)}")
    else:
        print("".join(f"{line}\n" for line in table(results)), end="")
    print(verdict(results, current).replace("compressed", "to compress" if request.dry_run else "compressed"))
    failed = [result for result in results if result.problem]
    for result in failed[:PROBLEMS_SHOWN]:
        sys.stderr.write(f"{result.job.file.path}: {result.problem}\n")
    return EXIT_FAILED if failed else 0


def _all(work: Sequence[tuple[FileTree, Job]], request: Request, encoders: Mapping[str, Encoder]) -> Iterator[Result]:
    """Do every job, the largest first, so that all threads end at about the same time."""
    if not request.dry_run:
        for folder in {os.path.dirname(job.file.path) for _, job in work}:
            clear(folder)
    total = sum(job.file.state.size for _, job in work)
    pool = ThreadPoolExecutor(request.jobs)
    try:
        with _progress(total, f"{counted(len(work), 'file')}, {size_text(total)}, {request.jobs} at a time") as advance:
            largest = sorted(work, key=lambda item: -item[1].file.state.size)
            running = [pool.submit(encode_beside, tree, job, encoders, request.dry_run) for tree, job in largest]
            for done in as_completed(running):
                result = done.result()
                advance(result.job.file.state.size)
                yield result
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _progress(total_bytes: int, what: str) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, where rich is installed; one line elsewhere, if there is anything to wait for."""
    if not total_bytes:
        yield lambda size: None
        return
    try:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
    except ImportError:
        shown = False
    else:
        shown = sys.stdout.isatty()
    if not shown:
        print(f"compressing {what} …", flush=True)
        yield lambda size: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task(what, total=total_bytes)
        yield lambda size: progress.advance(task, size)
