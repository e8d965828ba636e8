"""``manage.py prepare_demo``: sample lighthouses and an admin user. Running it again changes nothing."""

from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.utils.text import slugify

from catalogue.models import Light, LogEntry

LIGHTS = [
    (
        "Hook Head",
        "Ireland",
        1240,
        "35.0",
        "Monks kept the first fires here; the tower they kept them on still stands.",
    ),
    (
        "Kõpu",
        "Estonia",
        1531,
        "36.0",
        "A stone block on a hill of Hiiumaa, built when merchants of the Hansa asked for it.",
    ),
    ("Cordouan", "France", 1611, "67.5", "A palace in the Gironde's mouth. Fresnel's first lens was lit here in 1823."),
    ("Tower of Hercules", "Spain", 1791, "55.0", "Roman inside, clad anew in 1791, and in service all the while."),
    (
        "Bell Rock",
        "Scotland",
        1810,
        "35.3",
        "It stands on a reef that the tide covers twice a day, and has never been rebuilt.",
    ),
    (
        "Green Point",
        "South Africa",
        1824,
        "16.0",
        "Red and white stripes at the edge of Cape Town; its foghorn woke the suburb.",
    ),
    (
        "Cape Hatteras",
        "United States",
        1870,
        "64.0",
        "Moved 884 m inland in 1999, in one piece, because the sea came too close.",
    ),
    (
        "Cape Byron",
        "Australia",
        1901,
        "18.0",
        "The country's most easterly light, with eight tonnes of lens on a bath of mercury.",
    ),
    (
        "Île Vierge",
        "France",
        1902,
        "82.5",
        "Europe's tallest. Its stairs are lined with twelve thousand tiles of opaline glass.",
    ),
    (
        "Westerheversand",
        "Germany",
        1908,
        "40.0",
        "Ships' plates of cast iron in the salt marsh, with two houses like a picture book.",
    ),
    ("La Jument", "France", 1911, "47.0", "Paid for by the will of a man who had barely survived a wreck nearby."),
    ("Peggys Point", "Canada", 1915, "15.0", "On bare granite; for years its ground floor was a post office."),
    (
        "Les Éclaireurs",
        "Argentina",
        1920,
        "11.0",
        "Brick red in the Beagle Channel. People take it for the light at the end of the world.",
    ),
    (
        "Jeddah",
        "Saudi Arabia",
        1990,
        "133.0",
        "The tallest of all: a concrete needle with a control room for the port on top.",
    ),
]
USER, PASSWORD = "admin", "admin"


class Command(BaseCommand):
    help = "Creates the sample lighthouses and an admin user (for the demo only)."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, country, built, height_m, story in LIGHTS:
            fields = {"country": country, "built": built, "height_m": Decimal(height_m), "story": story, "name": name}
            light, is_new = Light.objects.get_or_create(slug=slugify(name), defaults=fields)
            if is_new:
                LogEntry.objects.create(
                    light=light, author="The keeper", text="Lamp trimmed, clear night, wind from the west."
                )
        users = get_user_model()
        if not users.objects.filter(username=USER).exists():
            users.objects.create_superuser(USER, "", PASSWORD)
        self.stdout.write(
            f"{Light.objects.count()} lighthouses; log in to /admin/ as {USER} with the password {PASSWORD}"
        )
