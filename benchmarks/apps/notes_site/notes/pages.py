"""One page: one query, one template."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from notes.models import Note


def latest(request: HttpRequest) -> HttpResponse:
    """The newest note."""
    return render(request, "note.html", {"note": Note.objects.order_by("-pk")[0]})


urlpatterns = [path("", latest)]
