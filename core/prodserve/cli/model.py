"""Which execution model application code gets, decided before anything is patched. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..adapter import Advice


@dataclass(frozen=True)
class Model:
    """``greenlets`` or ``threads``, what in the project asks for threads, and where it was pinned (``""``: nowhere)."""

    name: str
    reasons: tuple[str, ...] = ()
    pinned: str = ""

    def advice(self) -> tuple[Advice, ...]:
        """A warning where greenlets are pinned against the reasons."""
        if self.name != "greenlets" or not self.reasons:
            return ()
        what = f"greenlets are set ({self.pinned}), but these block or break them: {', '.join(self.reasons)}"
        return (Advice(what, "--worker-model threads"),)


def choose(configured: str, pinned_by: str, reasons: Sequence[str]) -> Model:
    """``auto`` means threads as soon as there is one reason for them; anything else is what it says."""
    if configured != "auto":
        return Model(configured, tuple(reasons), pinned_by)
    return Model("threads" if reasons else "greenlets", tuple(reasons))
