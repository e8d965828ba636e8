from pathlib import Path

import pytest

from django_prodserve.settings_module import named_settings, other_settings, settings_named_in, wsgi_file

DEFAULT = """
import os

def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings.dev")
"""


@pytest.mark.parametrize(
    ("source", "named"),
    [
        (DEFAULT, "mysite.settings.dev"),
        ("from os import environ\nenviron.setdefault('DJANGO_SETTINGS_MODULE', 'a.b')", "a.b"),
        ("import os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'a.b'", "a.b"),
        ("import os\nos.environ['OTHER'] = 'a.b'", None),
        ("import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', choose())", None),
        ("this is no Python", None),
        ("a null\0byte", None),
        ("", None),
    ],
)
def test_the_settings_module_is_read_from_a_program_without_running_it(source: str, named: str | None) -> None:
    assert named_settings(source) == named


@pytest.mark.parametrize(
    ("effective", "program", "wsgi", "other"),
    [
        ("dev", "dev", "production", "production"),
        ("dev", "dev", "dev", None),
        ("dev", "dev", None, None),
        ("staging", "dev", "production", None),  # chosen by --settings or the environment
        ("dev", None, "production", None),  # django-admin: somebody chose them
    ],
)
def test_other_settings_in_wsgi_py_are_worth_a_word_only_where_nobody_chose(
    effective: str, program: str | None, wsgi: str | None, other: str | None
) -> None:
    assert other_settings(effective, program, wsgi) == other


def test_a_file_that_cannot_be_read_names_nothing(tmp_path: Path) -> None:
    (tmp_path / "latin1.py").write_bytes(b"# caf\xe9")
    assert settings_named_in(None) is None
    assert settings_named_in(str(tmp_path / "absent.py")) is None
    assert settings_named_in(str(tmp_path / "latin1.py")) is None


def test_the_file_of_the_wsgi_application_is_found_in_a_loaded_package() -> None:
    assert wsgi_file("tests.django_prodserve.urls.application") == str(Path(__file__).parent / "urls.py")


@pytest.mark.parametrize("application", [None, "", "application", "not.loaded.wsgi.application"])
def test_a_wsgi_application_that_is_nowhere_has_no_file(application: str | None) -> None:
    assert wsgi_file(application) is None
