"""The pages: all lights, one light with its log book, and a plain greeting."""

from django.contrib import messages
from django.db.models import Count
from django.forms import modelform_factory
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from .models import Light, LogEntry

EntryForm = modelform_factory(LogEntry, fields=["author", "text"])


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All lights, the oldest first: one query and one template."""
    lights = Light.objects.annotate(entry_count=Count("entries")).order_by("built")
    return render(request, "catalogue/index.html", {"lights": lights})


@require_http_methods(["GET", "HEAD", "POST"])
def light(request: HttpRequest, slug: str) -> HttpResponse:
    """One light; a POST writes into its log book."""
    found = get_object_or_404(Light, slug=slug)
    form = EntryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.instance.light = found
        form.save()
        messages.success(request, "Thank you, it stands in the log book now.")
        return redirect(found)
    return render(request, "catalogue/light.html", {"light": found, "entries": found.entries.all()[:20], "form": form})


@require_safe
def hello(request: HttpRequest) -> HttpResponse:
    """A view that does nothing, to measure what everything around it costs."""
    return HttpResponse("Hello from Django!\n", content_type="text/plain")
