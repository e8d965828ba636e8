"""The pages: a form to write a card, the card itself, and a plain greeting."""

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response as AnyResponse

from .stamps import STAMPS

blueprint = Blueprint("pages", __name__)

LIMITS = {"to": 60, "text": 400}
"""The form's fields and how many characters they take."""


def seal() -> URLSafeSerializer:
    """Writes and reads the signed addresses."""
    return URLSafeSerializer(current_app.secret_key or "", "postcard")


def problems(card: dict[str, str]) -> dict[str, str]:
    """What is wrong with a card, by field; empty: it can be sent."""
    found = {name: "Please write something." for name in LIMITS if not card[name]}
    found.update({name: f"At most {limit} characters." for name, limit in LIMITS.items() if len(card[name]) > limit})
    return found


@blueprint.get("/")
def write() -> str:
    """The empty form."""
    return render_template("postcards/write.html", card={"stamp": STAMPS[0]}, problems={}, stamps=STAMPS, limits=LIMITS)


@blueprint.post("/")
def send() -> AnyResponse | tuple[str, int]:
    """Take a filled form, and go on to the card's own address."""
    card = {name: request.form.get(name, "").strip() for name in LIMITS}
    stamp = request.form.get("stamp", "")
    card["stamp"] = stamp if stamp in STAMPS else STAMPS[0]
    wrong = problems(card)
    if wrong:
        page = render_template("postcards/write.html", card=card, problems=wrong, stamps=STAMPS, limits=LIMITS)
        return page, 422
    return redirect(url_for("pages.card", sealed=seal().dumps(card)), 303)


@blueprint.get("/card/<sealed>")
def card(sealed: str) -> str:
    """One card."""
    try:
        found = seal().loads(sealed)
    except BadSignature:
        abort(404)
    return render_template("postcards/card.html", card=found)


@blueprint.get("/hello")
def hello() -> Response:
    """A view that does nothing, to measure what everything around it costs."""
    return Response("Hello from Flask!\n", mimetype="text/plain")
