"""Choice of a content coding (RFC 9110 §12.5.3) among those in which a representation exists.

Pure, and remembered for the few field values that browsers send. The unencoded form is always there and is sent when
nothing else is acceptable, also when it was refused: an answer is more use than a 406.
"""

from __future__ import annotations

import re
from functools import lru_cache

IDENTITY = "identity"
_MEMBER = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
).fullmatch
_ALIASES = {"x-gzip": "gzip", "x-compress": "compress"}


def coding_weights(accept_encoding: str) -> dict[str, float]:
    """The weight of each coding that is named, ``*`` included. Members that are malformed are passed over."""
    weights: dict[str, float] = {}
    for member in accept_encoding.split(","):
        if found := _MEMBER(member.strip(" \t")):
            coding = found[1].lower()
            weights[_ALIASES.get(coding, coding)] = float(found[2]) if found[2] else 1.0
    return weights


@lru_cache(maxsize=256)
def choose_coding(accept_encoding: str, available: tuple[str, ...]) -> str:
    """The best of ``available`` (in the server's order of preference) or ``identity``.

    A coding counts with its own weight or with that of ``*``; 0 forbids it. Identity wins only where the client gives
    it more weight than every coding there is, and is the last choice where it is not named.
    """
    weights = coding_weights(accept_encoding)
    others = weights.get("*", 0.0)
    best, best_weight = IDENTITY, weights.get(IDENTITY, 0.0)
    for coding in available:
        weight = weights.get(coding, others)
        if weight > best_weight or (weight == best_weight > 0 and best == IDENTITY):
            best, best_weight = coding, weight
    return best
