import re
from concurrent.futures import ThreadPoolExecutor

import httpx

ASSET = re.compile(r'(?:href|src)="(/static/[^"]+)"')
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def log_in(client: httpx.Client) -> httpx.Response:
    page = client.get("/admin/login/?next=/admin/")
    token = TOKEN.findall(page.text)[0]
    fields = {"username": "admin", "password": "admin", "csrfmiddlewaretoken": token, "next": "/admin/"}
    return client.post("/admin/login/", data=fields, headers={"Referer": str(page.url)}, follow_redirects=True)


def test_the_first_page_is_rendered_from_the_database(django_client: httpx.Client) -> None:
    page = django_client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.index("Hook Head") < page.text.index("Île Vierge") < page.text.index("Jeddah")


def test_every_asset_of_a_page_is_there_and_kept_for_ever(django_client: httpx.Client) -> None:
    for path in ("/", "/light/cordouan/", "/admin/login/"):
        assets = ASSET.findall(django_client.get(path).text)
        assert assets
        for asset in assets:
            found = django_client.get(asset)
            assert found.status_code == 200, asset
            assert "immutable" in found.headers["cache-control"], asset
            assert django_client.get(asset, headers={"If-None-Match": found.headers["etag"]}).status_code == 304


def test_a_file_by_its_plain_name_is_revalidated(django_client: httpx.Client) -> None:
    found = django_client.get("/static/catalogue/style.css")
    assert found.status_code == 200
    assert "immutable" not in found.headers["cache-control"]


def test_a_static_file_that_is_not_there_is_404(django_client: httpx.Client) -> None:
    assert django_client.get("/static/absent.css").status_code == 404
    assert django_client.get("/static/../lights/settings.py").status_code == 404
    assert django_client.get("/static/%2e%2e/lights/settings.py").status_code in (400, 404)


def test_a_visitor_can_write_into_the_log_book(django_client: httpx.Client) -> None:
    page = django_client.get("/light/bell-rock/")
    (token,) = TOKEN.findall(page.text)
    fields = {"author": "Ada", "text": "Fog <all> day", "csrfmiddlewaretoken": token}
    after = django_client.post("/light/bell-rock/", data=fields, follow_redirects=True)
    assert after.status_code == 200
    assert "it stands in the log book now" in after.text
    assert "Fog &lt;all&gt; day" in after.text


def test_a_form_without_its_token_is_refused(django_client: httpx.Client) -> None:
    assert django_client.post("/light/bell-rock/", data={"author": "x", "text": "y"}).status_code == 403


def test_the_admin_lets_the_demo_user_in_and_changes_the_database(django_client: httpx.Client) -> None:
    page = log_in(django_client)
    assert page.status_code == 200
    assert "Log entries" in page.text
    form = django_client.get("/admin/catalogue/light/add/")
    token = TOKEN.findall(form.text)[0]
    fields = {
        "name": "Lindau",
        "slug": "lindau",
        "country": "Germany",
        "built": "1856",
        "height_m": "33",
        "story": "South.",
        "entries-TOTAL_FORMS": "0",
        "entries-INITIAL_FORMS": "0",
        "csrfmiddlewaretoken": token,
    }
    saved = django_client.post("/admin/catalogue/light/add/", data=fields, follow_redirects=True)
    assert "was added successfully" in saved.text
    change = re.findall(r'href="(/admin/catalogue/light/\d+/change/)[^"]*">Lindau', saved.text)[0]
    yes = {"post": "yes", "csrfmiddlewaretoken": token}
    gone = django_client.post(change.replace("change", "delete"), data=yes, follow_redirects=True)
    assert "was deleted successfully" in gone.text


def test_many_visitors_at_once_get_whole_pages(django_client: httpx.Client) -> None:
    def visit(number: int) -> bool:
        page = django_client.get("/" if number % 2 else "/hello")
        return page.status_code == 200 and page.text.endswith("</html>\n" if number % 2 else "Django!\n")

    with ThreadPoolExecutor(16) as visitors:
        assert all(visitors.map(visit, range(200)))


def test_a_page_that_does_not_exist_is_the_apps_own_404(django_client: httpx.Client) -> None:
    page = django_client.get("/nowhere")
    assert page.status_code == 404
    assert "Not Found" in page.text
