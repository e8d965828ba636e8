import subprocess
import sys

import pytest
from flask import Flask

from flask_prodserve import ProdServe


def test_the_extension_is_found_by_its_name() -> None:
    app = Flask("tests")
    extension = ProdServe(app)
    assert app.extensions["prodserve"] is extension


def test_what_the_app_configures_itself_wins_over_the_extensions_settings() -> None:
    app = Flask("tests")
    app.config["PRODSERVE"] = {"WORKERS": 4}
    ProdServe(WORKERS=2, KEEP_ALIVE=20).init_app(app)
    assert app.config["PRODSERVE"] == {"WORKERS": 4, "KEEP_ALIVE": 20}


@pytest.mark.parametrize("module", ["flask_prodserve", "flask_prodserve.cli", "flask_prodserve.adapter"])
def test_importing_the_plug_in_imports_neither_gevent_nor_the_engine(module: str) -> None:
    unwanted = ("gevent", "httptools", "prodserve.engine")
    code = f"import sys, {module}; print([name for name in sys.modules if name.startswith({unwanted})])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
