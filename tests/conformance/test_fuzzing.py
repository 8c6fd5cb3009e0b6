"""Requests made up from the OpenAPI document, right ones and wrong ones.

No answer is of class 500, and each that succeeds is what the document says, without a further field.
"""

import re
from collections import Counter
from http import HTTPStatus
from typing import Any, get_type_hints

import pytest
import schemathesis
from flask import Response
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from schemathesis import GenerationMode

from annotation_server.app import create_app
from annotation_server.auth import limiter
from annotation_server.sessions import open_session
from db import jobs
from db.accounts import add_account, find_account
from db.domain.provenance import Role
from db.tokens import make_token


@pytest.fixture
def app(build_room, monkeypatch):
    monkeypatch.setattr(limiter, "enabled", False)
    record = build_room(n_cases=40)
    jobs.prepare(record.database)
    with record.database.write() as session:
        add_account(session, "a1", Role.ADMIN)
    return create_app(record)


@pytest.fixture
def senders(app):
    """What a reader's browser sends, and what an admin's program sends; each route takes one of them."""
    record, client = app.extensions["record"], app.test_client()
    with record.database.write() as rows, client.session_transaction() as session:
        open_session(session, find_account(rows, "r1").fs_uniquifier)
        secret = make_token(rows, find_account(rows, "a1"), "fuzz", days=1)
    (token,) = re.findall(r'csrf-token" content="([^"]+)', client.get("/").text)
    reader = {"headers": {"X-CSRFToken": token}, "cookies": {"overread": client.get_cookie("overread").value}}
    seat = client.post("/api/stages/pilot/I/next", headers=reader["headers"]).json["comparison"]
    return {"token": seat["token"], "reader": reader, "program": {"headers": {"Authorization": f"Bearer {secret}"}}}


def fuzz(app, senders, n_examples):
    """Ask every operation so often; how many answers of each status there were."""
    statuses: Counter[int] = Counter()
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app, **senders["program"])
    real = {"campaign": "pilot", "stage": "I", "token": senders["token"], "job_id": 1, "revision": 1, "name": "0" * 32}
    operations: list[Any] = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]  # raises
    for operation in sorted(operations, key=is_for_staff):  # readers first, while there is something to read
        sender = senders["program" if is_for_staff(operation) else "reader"]
        view = app.view_functions[operation.definition.raw["operationId"]]
        ask(operation, get_type_hints(view)["return"], sender, real, statuses, n_examples)
    return statuses


def is_for_staff(operation):
    return operation.definition.raw["x-roles"] != ["reader"]


def ask(operation, answer_type, sender, real, statuses, n_examples):
    cases = st.one_of([operation.as_strategy(mode) for mode in GenerationMode])

    @settings(
        max_examples=n_examples,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases, st.booleans())
    def send(case, is_real):
        if is_real:  # else every name is one that does not exist, and nothing behind it is reached
            case.path_parameters = {name: real[name] for name in case.path_parameters or {}}
        answer = case.call(**sender)
        statuses[answer.status_code] += 1
        if answer.status_code == HTTPStatus.OK and answer_type is not Response:
            TypeAdapter(answer_type).validate_json(answer.content)  # and has no further field
        assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, f"{case.as_curl_command()} {answer.text}"

    send()


@pytest.mark.slow
def test_no_made_up_request_is_answered_with_class_500(app, senders):
    statuses = fuzz(app, senders, n_examples=12)
    print(dict(statuses))
    assert {200, 400, 404, 409} <= set(statuses), "the requests reach nothing"


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_no_made_up_request_of_many_is_answered_with_class_500(app, senders):
    statuses = fuzz(app, senders, n_examples=300)
    print(f"HTTP fuzzing: {sum(statuses.values())} requests, 0 of class 500, {dict(sorted(statuses.items()))}")
