"""The site behind proxies: below a path prefix, and with the visitor's address and scheme as they pass them on."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from db.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass(frozen=True)
class Mounted:
    """An application below a path prefix, whether or not the proxy in front has taken the prefix off already."""

    application: "WSGIApplication"
    prefix: str

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request."""
        path = environ.get("PATH_INFO", "")
        if path == self.prefix or path.startswith(f"{self.prefix}/"):
            environ["PATH_INFO"] = path.removeprefix(self.prefix) or "/"
        environ["SCRIPT_NAME"] = self.prefix
        return self.application(environ, start_response)


def mount(app: Flask, settings: Settings) -> None:
    """Put an application where the settings say that visitors see it."""
    if settings.url_prefix:
        app.config["APPLICATION_ROOT"] = app.config["SESSION_COOKIE_PATH"] = settings.url_prefix
        app.wsgi_app = Mounted(app.wsgi_app, settings.url_prefix)  # type: ignore[method-assign]  # as Flask mounts middleware
    if n := settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]  # as Flask mounts middleware
