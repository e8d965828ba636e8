"""``python -m tests.fuzz [--seconds N] [target …]``: coverage-guided fuzzing with atheris, one process a target.

The seeds are in ``tests/fuzz/corpus/<target>``; what libFuzzer finds interesting is kept in a temporary folder unless
``--keep FOLDER`` names one. An input that breaks a target is printed as bytes, ready for the corpus.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
LONGEST_BYTES = 4096
SLOWEST_INPUT_S = 5


def missing() -> str | None:
    """Why fuzzing is not possible here; None: it is."""
    if importlib.util.find_spec("atheris") is None:
        version = ".".join(map(str, sys.version_info[:2]))
        return f"atheris is not installed for Python {version} (pip install atheris; not every Python has a wheel)"
    return None


def fuzz(target: str, seconds: int, found: Path, artifacts: Path) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["prodserve"]):
        from tests.fuzz.targets import TARGETS

    seeds = CORPUS / target
    arguments = [sys.argv[0], str(found), *([str(seeds)] if seeds.is_dir() else [])]
    options = {
        "max_total_time": seconds,
        "max_len": LONGEST_BYTES,
        "timeout": SLOWEST_INPUT_S,
        "artifact_prefix": f"{artifacts}/",
        "verbosity": 0,
    }
    atheris.Setup(arguments + [f"-{name}={value}" for name, value in options.items()], TARGETS[target])
    atheris.Fuzz()


def fuzz_all(targets: list[str], seconds: int, keep: Path | None) -> int:
    """Each target in its turn, in a process of its own; the number of those that broke."""
    broken = 0
    for target in targets:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            found = keep / target if keep else Path(folder, "found")
            artifacts = Path(folder, "artifacts")
            found.mkdir(parents=True, exist_ok=True)
            artifacts.mkdir()
            command = [sys.executable, "-m", "tests.fuzz", "--one", target, "--seconds", str(max(1, seconds))]
            command += ["--found", str(found), "--artifacts", str(artifacts)]
            run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parents[1])
            inputs = sorted(artifacts.iterdir())
            print(f"{target:15} {'broken' if run.returncode else 'holds'}", flush=True)
            if run.returncode:
                broken += 1
                print(run.stdout[-2000:], run.stderr[-4000:], *(repr(path.read_bytes()) for path in inputs), sep="\n")
    return broken


def main() -> int:
    """The command line."""
    from tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of: {', '.join(TARGETS)}; default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target; default: 60")
    parser.add_argument("--keep", type=Path, help="folder for the inputs that were found interesting")
    given = parser.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    if why := missing():
        print(f"skipped: {why}")
        return 0
    return 1 if fuzz_all(given.targets or list(TARGETS), given.seconds, given.keep) else 0


def main_of_one() -> None:
    """The command line of a process that fuzzes one target."""
    parser = argparse.ArgumentParser()
    for name in ("--one", "--found", "--artifacts"):
        parser.add_argument(name)
    parser.add_argument("--seconds", type=int)
    given = parser.parse_args()
    fuzz(given.one, given.seconds, Path(given.found), Path(given.artifacts))


if __name__ == "__main__":
    if "--one" in sys.argv:
        main_of_one()
    else:
        sys.exit(main())
