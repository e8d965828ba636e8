"""What applications import of the server, where it does not run."""

from __future__ import annotations

import subprocess
import sys

import prodserve
import pytest
from prodserve.errors import ClientDisconnected, RequestTimeout


def test_a_deadline_is_no_business_of_another_server() -> None:
    view = prodserve.deadline(5)(lambda: "called")
    assert view() == "called"
    prodserve.deadline(0)


def test_a_view_keeps_its_name() -> None:
    @prodserve.deadline(5)
    def view() -> None:
        """What it does."""

    assert (view.__name__, view.__doc__) == ("view", "What it does.")


@pytest.mark.parametrize("seconds", [-1, "5", float("inf"), float("nan"), None])
def test_a_deadline_is_a_number_of_seconds(seconds: object) -> None:
    with pytest.raises(ValueError, match="must be a number"):
        prodserve.deadline(seconds)  # type: ignore[arg-type]


def test_a_deadline_for_an_async_view_is_refused_with_a_word_of_what_does_it() -> None:
    async def view() -> None: ...

    with pytest.raises(TypeError, match="--timeout-for"):
        prodserve.deadline(5)(view)


def test_the_exceptions_are_the_applications_to_catch() -> None:
    assert prodserve.RequestTimeout is RequestTimeout
    assert prodserve.ClientDisconnected is ClientDisconnected
    with pytest.raises(AttributeError, match="no attribute 'deadlines'"):
        prodserve.deadlines


def test_importing_the_package_imports_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import prodserve; "
        "print(sorted(set(sys.modules) - before - {'__future__'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['prodserve']\n"
