"""Lighthouses, and what visitors wrote into their log books."""

from django.db import models
from django.urls import reverse


class Light(models.Model):
    """One lighthouse."""

    name = models.CharField(max_length=80)
    slug = models.SlugField(unique=True)
    country = models.CharField(max_length=60)
    built = models.PositiveSmallIntegerField(help_text="Year of the present tower.")
    height_m = models.DecimalField("height (m)", max_digits=5, decimal_places=1)
    story = models.TextField()

    class Meta:
        ordering = ["built"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("light", args=[self.slug])


class LogEntry(models.Model):
    """One entry of a visitor."""

    light = models.ForeignKey(Light, on_delete=models.CASCADE, related_name="entries")
    author = models.CharField("your name", max_length=60)
    text = models.CharField("what you saw", max_length=280)
    written = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-written"]
        verbose_name_plural = "log entries"

    def __str__(self) -> str:
        return f"{self.author} at {self.light}"
