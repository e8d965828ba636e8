import re
from concurrent.futures import ThreadPoolExecutor

import httpx

ASSET = re.compile(r'(?:href|src)="(/(?:static|stamps)/[^"]+)"')


def test_the_form_and_all_its_assets_are_there(flask_client: httpx.Client) -> None:
    page = flask_client.get("/")
    assert page.status_code == 200
    assets = ASSET.findall(page.text)
    assert len(assets) >= 4
    for asset in assets:
        found = flask_client.get(asset)
        assert found.status_code == 200, asset
        assert "max-age=3600" in found.headers["cache-control"]
        assert flask_client.get(asset, headers={"If-None-Match": found.headers["etag"]}).status_code == 304


def test_a_card_travels_in_its_address(flask_client: httpx.Client) -> None:
    fields = {"to": "Grace & co", "text": "One\nTwo", "stamp": "wood"}
    card = flask_client.post("/", data=fields, follow_redirects=True)
    assert card.status_code == 200
    assert "/card/" in str(card.url)
    assert "Grace &amp; co" in card.text
    assert "/stamps/wood.svg" in card.text


def test_a_form_that_is_not_filled_is_shown_again(flask_client: httpx.Client) -> None:
    page = flask_client.post("/", data={"to": "", "text": "x" * 500})
    assert page.status_code == 422
    assert "Please write something." in page.text
    assert "At most 400 characters." in page.text


def test_a_forged_card_is_not_found(flask_client: httpx.Client) -> None:
    assert flask_client.get("/card/forged").status_code == 404


def test_a_chunked_form_reaches_the_app(flask_client: httpx.Client) -> None:
    chunks = iter([b"to=Ada&te", b"xt=Hello&stamp=sea"])
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    card = flask_client.post("/", content=chunks, headers=headers)
    assert card.status_code == 303


def test_many_visitors_at_once_get_whole_pages(flask_client: httpx.Client) -> None:
    def visit(number: int) -> bool:
        page = flask_client.get("/" if number % 2 else "/hello")
        return page.status_code == 200 and page.text.endswith("</html>" if number % 2 else "Flask!\n")

    with ThreadPoolExecutor(16) as visitors:
        assert all(visitors.map(visit, range(200)))
