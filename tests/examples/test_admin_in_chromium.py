from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server

from .chromium import CHROMIUM, Page, chromium

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")

STYLE = "getComputedStyle(document.querySelector({!r})).{}"

NO_COLOUR = "rgba(0, 0, 0, 0)"


def failed(page: Page) -> list[str]:
    """What the pages asked for in vain; browsers look for an icon where pages name none."""
    return [path for path, status in page.answers.items() if status >= 400 and path != "/favicon.ico"]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with chromium(tmp_path) as page:
        yield page


def test_the_admin_is_styled_and_can_be_used(page: Page, django_site: Server, tmp_path: Path) -> None:
    page.open(f"{django_site.url}/admin/")
    assert page.ask(STYLE.format("#header", "backgroundColor")) != NO_COLOUR
    page.ask("document.querySelector('#id_username').value = document.querySelector('#id_password').value = 'admin'")
    page.then_loaded("Runtime.evaluate", expression="document.querySelector('#login-form').submit()")
    assert page.ask("document.querySelector('#user-tools strong').textContent") == "admin"
    page.open(f"{django_site.url}/admin/catalogue/light/")
    assert page.ask("document.querySelectorAll('#result_list tbody tr').length") >= 14
    page.screenshot(tmp_path / "admin.png")
    assert (tmp_path / "admin.png").stat().st_size > 20_000
    assert failed(page) == []
    assert any(path.endswith(".css") for path in page.answers)
    assert any(path.endswith(".js") for path in page.answers)


def test_the_first_page_is_styled_and_its_script_runs(page: Page, django_site: Server) -> None:
    page.open(f"{django_site.url}/")
    assert page.ask(STYLE.format(".lights", "display")) == "grid"
    day = page.ask(STYLE.format("body", "color"))
    page.ask("document.querySelector('#night').click()")
    assert page.ask("document.querySelector('#night').textContent") == "Day"
    assert page.ask("document.documentElement.className") == "night"
    assert day == "rgb(29, 43, 58)"
    assert failed(page) == []


def test_the_flask_site_is_styled(page: Page, flask_site: Server) -> None:
    page.open(f"{flask_site.url}/")
    assert page.ask(STYLE.format("form", "display")) == "grid"
    assert page.ask("[...document.images].every(image => image.naturalWidth > 0)") is True
