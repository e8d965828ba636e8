import pytest
from flask import Flask
from flask.cli import ScriptInfo
from prodserve.adapter import Adapter

from flask_prodserve.adapter import FlaskAdapter
from tests.adapter_contract import AdapterContract


def create_app() -> Flask:
    app = Flask("tests")
    app.add_url_rule("/", view_func=lambda: "plain", endpoint="plain")
    return app


class TestFlaskAdapter(AdapterContract):
    @pytest.fixture
    def adapter(self) -> Adapter:
        return FlaskAdapter(ScriptInfo(create_app=create_app))
