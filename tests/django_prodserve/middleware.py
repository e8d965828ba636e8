"""Middleware of both kinds."""

from typing import Any

from django.utils.decorators import async_only_middleware, sync_and_async_middleware


@async_only_middleware
def async_only(get_response: Any) -> Any:
    return get_response


@sync_and_async_middleware
def both(get_response: Any) -> Any:
    return get_response
