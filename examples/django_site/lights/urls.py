"""All addresses of the site."""

from django.contrib import admin
from django.urls import path

from catalogue import views

urlpatterns = [
    path("", views.index, name="index"),
    path("light/<slug:slug>/", views.light, name="light"),
    path("hello", views.hello, name="hello"),
    path("admin/", admin.site.urls),
]
