"""Times as HTTP and logs write them. Pure: the moment is always given.

``email.utils`` and ``time.strftime`` follow the process's locale in part; HTTP dates must not (RFC 9110 §5.6.7).
"""

from __future__ import annotations

import time

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(epoch_s: float) -> str:
    """IMF-fixdate (RFC 9110 §5.6.7): ``Sun, 06 Nov 1994 08:49:37 GMT``."""
    t = time.gmtime(epoch_s)
    return (
        f"{DAYS[t.tm_wday]}, {t.tm_mday:02d} {MONTHS[t.tm_mon]} {t.tm_year} "
        f"{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d} GMT"
    )


def log_date(epoch_s: float) -> str:
    """The time of the common log format, local with offset: ``06/Nov/1994:08:49:37 +0000``."""
    t = time.localtime(epoch_s)
    sign, minutes = ("-", -t.tm_gmtoff // 60) if t.tm_gmtoff < 0 else ("+", t.tm_gmtoff // 60)
    return (
        f"{t.tm_mday:02d}/{MONTHS[t.tm_mon]}/{t.tm_year}:{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d} "
        f"{sign}{minutes // 60:02d}{minutes % 60:02d}"
    )
