"""Django, in one file: `gunicorn examples.django_app:app --workers 4`, or `:asgi` under uvicorn."""

import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from ratelimit_guard import asgi as guard_asgi
from ratelimit_guard import wsgi as guard_wsgi

LIMITS = os.environ.get("RATELIMIT_GUARD_LIMITS", Path(__file__).with_name("limits.toml"))
settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="example", MIDDLEWARE=[])


def chat(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"answer": "hello"})


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def events() -> Iterator[bytes]:
        for number in range(3):
            yield b"data: %d\n\n" % number

    return StreamingHttpResponse(events(), content_type="text/event-stream")


def health(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [path("v1/chat", chat), path("v1/stream", stream), path("health", health)]
app = guard_wsgi.RateLimitMiddleware(get_wsgi_application(), config=LIMITS)
asgi = guard_asgi.RateLimitMiddleware(get_asgi_application(), config=LIMITS)
