"""Dates as clients send them (RFC 9110 §5.6.7): three forms that have to be understood.

What is no date is ``None``, never an error: a condition with a date that can't be read is ignored by whoever asked.
How dates are written is ``prodserve.clock``'s.
"""

from __future__ import annotations

import calendar
import re

from ..clock import MONTHS

_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_MONTH = rf"(?P<month>{'|'.join(MONTHS[1:])})"
_FORMS = tuple(
    re.compile(form).fullmatch
    for form in (
        rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)


def parse_date(value: str, now_s: int) -> int | None:
    """The moment that ``value`` names in one of the three forms of RFC 9110 §5.6.7, or ``None``.

    ``now_s`` decides the century of a year with two digits: never more than 50 years ahead.
    """
    found = next(filter(None, (form(value) for form in _FORMS)), None)
    if found is None:
        return None
    year, month, day = int(found["year"]), MONTHS.index(found["month"]), int(found["day"])
    if len(found["year"]) == 2:
        this_year = 1970 + now_s // 31_556_952
        year += this_year // 100 * 100
        if year > this_year + 50:
            year -= 100
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"])
    if year == 0 or not 1 <= day <= calendar.monthrange(year, month)[1] or hour > 23 or minute > 59 or second > 60:
        return None
    return calendar.timegm((year, month, day, hour, minute, second))
