"""What a program sees of itself, written down in the first process and in the generation process.

Imported by the programs of test_boot.py, which are started in all the ways in which projects are. In the generation
``look`` ends the program: the server then ends too, and the test compares the two looks.
"""

from __future__ import annotations

import json
import os
import sys
from typing import NoReturn

from prodserve.worker.boot import role


def look() -> None:
    """Write one line of JSON to the file that PROBE names; in the generation process nothing follows."""
    main = sys.modules["__main__"]
    seen = {
        "pid": os.getpid(),
        "role": role() is not None,
        "argv": sys.argv,
        "path": sys.path,
        "orig_argv": sys.orig_argv,
        "cwd": os.getcwd(),
        "flags": repr(sys.flags),
        "warnoptions": sys.warnoptions,
        "xoptions": dict(sys._xoptions),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "settings": os.environ.get("DJANGO_SETTINGS_MODULE"),
        "environ": {name: value for name, value in os.environ.items() if name != "PROBE"},
        "main": [main.__name__, getattr(main, "__file__", None)],
        "dont_write_bytecode": sys.dont_write_bytecode,
        "inherited": sorted(
            int(name) for name in os.listdir("/proc/self/fd") if int(name) > 2 and _inheritable(int(name))
        ),
    }
    with open(os.environ["PROBE"], "a", encoding="utf-8") as file:
        file.write(json.dumps(seen) + "\n")
    if role() is not None:
        sys.exit("probed")


def _inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


def serve(model: str = "threads") -> NoReturn:
    """Look, then launch the server; in the place of our command."""
    look()
    from prodserve.config.options import Config
    from prodserve.supervisor.launch import start
    from prodserve.supervisor.program import current_program

    start(
        {
            "program": current_program().to_plain(),
            "command": "probe",
            "model": model,
            "config": Config.from_plain({"bind": ["127.0.0.1:0"]}).to_plain(),
        }
    )
