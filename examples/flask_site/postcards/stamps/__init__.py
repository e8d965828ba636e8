"""The stamps: a blueprint with a static folder of its own."""

from flask import Blueprint

blueprint = Blueprint("stamps", __name__, static_folder="static", static_url_path="/stamps")

STAMPS = ("mountain", "sea", "wood")
