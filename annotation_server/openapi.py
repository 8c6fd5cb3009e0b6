"""The OpenAPI document of the JSON and media routes, made from what their views state.

A view's return annotation is its answer (`views.answers`), its first line of documentation the summary, its `allow`
the roles. `takes` names the body and the headers, `sends` what is no JSON.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

from flask import Flask
from pydantic import BaseModel, TypeAdapter
from werkzeug.routing import Rule
from werkzeug.routing.converters import AnyConverter, NumberConverter

from annotation_server.auth import EVERYBODY, READERS
from annotation_server.views.answers import ErrorAnswer
from db.domain.provenance import SOFTWARE_VERSION

View = TypeVar("View", bound=Callable[..., object])
Schema = dict[str, Any]

DESCRIBED = ("/api/", "/media/")
SECURITY = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "overread",
        "description": "A browser; changes need its X-CSRFToken.",
    },
    "token": {"type": "http", "scheme": "bearer", "description": "A program of staff; made on the page My account."},
}


def takes(model: type[BaseModel] | None = None, **headers: str) -> Callable[[View], View]:
    """State a view's JSON body, and the patterns of the headers it needs; `_` in a header's name stands for `-`."""

    def mark(view: View) -> View:
        vars(view)["body"] = model
        vars(view)["headers"] = {name.replace("_", "-"): pattern for name, pattern in headers.items()}
        return view

    return mark


def sends(media_type: str) -> Callable[[View], View]:
    """State that a view answers bytes of this type."""

    def mark(view: View) -> View:
        vars(view)["media_type"] = media_type
        return view

    return mark


def document(app: Flask) -> Schema:
    """The OpenAPI 3.1 document of the application."""
    found = _Document()
    paths: dict[str, Schema] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if rule.rule.startswith(DESCRIBED):
            view = app.view_functions[rule.endpoint]
            path = paths.setdefault(re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", rule.rule), {})
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                path[method.lower()] = found.operation(rule, view)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Overread",
            "version": SOFTWARE_VERSION,
            "description": "For research use. Not a medical device.",
        },
        "servers": [{"url": app.config["APPLICATION_ROOT"].rstrip("/") or "/"}],
        "paths": paths,
        "components": {"schemas": found.schemas, "securitySchemes": SECURITY},
    }


class _Document:
    """Gathers the schemas that the operations name."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}

    def operation(self, rule: Rule, view: Callable[..., object]) -> Schema:
        """One method of one path."""
        stated = vars(view)
        audience = stated.get("audience", frozenset())
        described: Schema = {
            "operationId": rule.endpoint,
            "summary": (view.__doc__ or "").partition("\n")[0],
            "parameters": [_path_parameter(rule, name) for name in sorted(rule.arguments)]
            + [_header(name, pattern) for name, pattern in stated.get("headers", {}).items()],
            "responses": {
                "200": self._answer(view),
                "4XX": _content("application/json", self._schema(ErrorAnswer), "What is wrong, and what to do."),
                "503": _content("application/json", self._schema(ErrorAnswer), "Try again after Retry-After."),
            },
            "security": []
            if audience == EVERYBODY
            else [{name: []} for name in SECURITY if name == "session" or audience != READERS],
            "x-roles": sorted(audience),
        }
        if model := stated.get("body"):
            content = _content("application/json", self._schema(model, mode="validation"), "")["content"]
            described["requestBody"] = {
                "content": content,
                "required": any(f.is_required() for f in model.model_fields.values()),
            }
        return described

    def _answer(self, view: Callable[..., object]) -> Schema:
        if media_type := vars(view).get("media_type"):
            return _content(media_type, {}, "Bytes.")
        return _content("application/json", self._schema(get_type_hints(view)["return"]), "Done.")

    def _schema(self, kind: Any, mode: str = "serialization") -> Schema:  # noqa: ANN401 - any type that pydantic knows
        made = TypeAdapter(kind).json_schema(mode=mode, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]  # its two modes are literals
        self.schemas.update(made.pop("$defs", {}))
        if (name := made.get("title")) is None:
            return made
        self.schemas[name] = made
        return {"$ref": f"#/components/schemas/{name}"}


def _content(media_type: str, schema: Schema, description: str) -> Schema:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _path_parameter(rule: Rule, name: str) -> Schema:
    converter = rule._converters[name]  # noqa: SLF001 - werkzeug tells it nowhere else
    schema: Schema = {"type": "string", "minLength": 1}
    if isinstance(converter, NumberConverter):
        schema = {"type": "integer", "minimum": 0}
    elif isinstance(converter, AnyConverter):
        schema = {"type": "string", "enum": sorted(converter.items)}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _header(name: str, pattern: str) -> Schema:
    return {"name": name, "in": "header", "required": True, "schema": {"type": "string", "pattern": pattern}}
