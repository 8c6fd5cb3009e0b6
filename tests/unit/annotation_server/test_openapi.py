import json
import re
from typing import get_type_hints

import pytest
from pydantic import TypeAdapter, ValidationError

from annotation_server import openapi
from annotation_server.views.answers import ComparisonAnswer


@pytest.fixture
def document(site):
    return openapi.document(site.app)


def test_every_route_of_data_is_described(site, document):
    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    served = {
        (method, re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in site.app.url_map.iter_rules()
        if rule.rule.startswith(("/api/", "/media/"))
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert described == served


def test_every_answer_has_a_type_of_its_own(site):
    for rule in site.app.url_map.iter_rules():
        view = site.app.view_functions[rule.endpoint]
        if rule.rule.startswith(("/api/", "/media/")) and "media_type" not in vars(view):
            assert get_type_hints(view)["return"] is not dict, rule.rule


def test_no_schema_has_room_for_another_property(document):
    schemas = document["components"]["schemas"]
    assert {"ComparisonAnswer", "VerdictBody", "StageAnswer"} <= set(schemas)
    loose = [
        name for name, one in schemas.items() if one.get("type") == "object" and one.get("additionalProperties", True)
    ]
    assert loose == []


def test_references_lead_somewhere(document):
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert names <= set(document["components"]["schemas"])


def test_a_body_its_headers_and_the_roles_are_told(document):
    verdict = document["paths"]["/api/comparisons/{token}/verdict"]["put"]
    assert verdict["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/VerdictBody"
    }
    assert {one["name"] for one in verdict["parameters"]} == {"token", "Idempotency-Key"}
    assert verdict["x-roles"] == ["reader"]
    assert verdict["security"] == [{"session": []}]
    assert {"token": []} in document["paths"]["/api/campaigns"]["get"]["security"]


def test_the_document_is_for_staff(site):
    assert site.visit("reader").get("/api/openapi.json").status_code == 403
    assert site.visit("engineer").get("/api/openapi.json").json["openapi"] == "3.1.0"


def test_a_readers_answer_with_a_further_field_would_not_pass(site):
    reader = site.visit("reader")
    answer = reader.client.post("/api/stages/pilot/I/next", headers={"X-CSRFToken": reader.token()}).json
    TypeAdapter(ComparisonAnswer).validate_python(answer)
    answer["comparison"]["origin"] = "network"
    with pytest.raises(ValidationError, match="origin"):
        TypeAdapter(ComparisonAnswer).validate_python(answer)
