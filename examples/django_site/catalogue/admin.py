"""The catalogue in the admin."""

from django.contrib import admin

from .models import Light, LogEntry


class EntriesInline(admin.TabularInline):
    model = LogEntry
    extra = 0


@admin.register(Light)
class LightAdmin(admin.ModelAdmin):
    list_display = ["name", "country", "built", "height_m"]
    list_filter = ["country"]
    search_fields = ["name", "story"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [EntriesInline]


@admin.register(LogEntry)
class LogEntryAdmin(admin.ModelAdmin):
    list_display = ["author", "light", "text", "written"]
    date_hierarchy = "written"
