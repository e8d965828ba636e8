"""The seeds hold everywhere; where there is atheris, all targets together are fuzzed for a minute."""

from __future__ import annotations

from pathlib import Path

import pytest

from .__main__ import CORPUS, LONGEST_BYTES, fuzz_all, missing
from .targets import TARGETS

SECONDS = 60
WIRE = Path(__file__).resolve().parents[1] / "corpus"
SEEDS = [(target, path) for target in TARGETS for path in sorted((CORPUS / target).glob("*"))]


@pytest.mark.parametrize(("target", "path"), SEEDS, ids=lambda value: getattr(value, "name", value))
def test_a_seed_holds(target: str, path: Path) -> None:
    TARGETS[target](path.read_bytes())


def test_each_target_has_seeds() -> None:
    assert {target for target, _ in SEEDS} == set(TARGETS)


@pytest.mark.parametrize("path", sorted(WIRE.rglob("*.http")), ids=lambda path: path.stem)
def test_a_request_of_the_wire_corpus_holds(path: Path) -> None:
    request = path.read_bytes()
    for seed in b"\x00\x01\x7f":
        TARGETS["head"](bytes([seed]) + request)
    body = request.partition(b"\r\n\r\n")[2][: LONGEST_BYTES - 1]  # below the limits that no oracle knows
    TARGETS["chunked"](b"\x01" + body)


@pytest.mark.skipif(missing() is not None, reason=missing() or "")
def test_nothing_breaks_within_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz_all(list(TARGETS), max(1, SECONDS // len(TARGETS)), None) == 0, capsys.readouterr().out
