"""The first tables."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Light",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("slug", models.SlugField(unique=True)),
                ("country", models.CharField(max_length=60)),
                ("built", models.PositiveSmallIntegerField(help_text="Year of the present tower.")),
                ("height_m", models.DecimalField(decimal_places=1, max_digits=5, verbose_name="height (m)")),
                ("story", models.TextField()),
            ],
            options={
                "ordering": ["built"],
            },
        ),
        migrations.CreateModel(
            name="LogEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("author", models.CharField(max_length=60, verbose_name="your name")),
                ("text", models.CharField(max_length=280, verbose_name="what you saw")),
                ("written", models.DateTimeField(auto_now_add=True)),
                (
                    "light",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="entries", to="catalogue.light"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "log entries",
                "ordering": ["-written"],
            },
        ),
    ]
