"""One table."""

from django.db import models


class Note(models.Model):
    """A line of text with a title."""

    title = models.CharField(max_length=80)
    text = models.TextField()
