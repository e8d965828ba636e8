"""A URL map with async views: a function, a class, and one below an include."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views import View

from .urls import plain


async def feed(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"feed")


class Board(View):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(b"board")


urlpatterns = [
    path("plain", plain),
    path("deep/", include([path("feed", feed)])),
    path("board", Board.as_view()),
]
