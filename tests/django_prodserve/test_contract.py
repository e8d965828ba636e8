import pytest
from prodserve.adapter import Adapter
from pytest_django import Settings

from django_prodserve.adapter import DjangoAdapter
from tests.adapter_contract import AdapterContract


class TestDjangoAdapter(AdapterContract):
    path = "/plain"

    @pytest.fixture
    def adapter(self, settings: Settings) -> Adapter:
        settings.ALLOWED_HOSTS = ["localhost"]
        return DjangoAdapter()
