"""The page on which a coordinator lets a patient withdraw."""

from sqlalchemy import select

from db.models import AuditEntry, Withdrawal

SCRIPT = "<script>alert(1)</script>"


def test_a_case_typed_twice_alike_erases_its_patient_and_the_page_says_what_remains(site):
    visitor = site.visit("coordinator")
    case = {"case": "secret-case-0", "again": "secret-case-0", "reason": SCRIPT}
    assert visitor.post("/withdrawals", **case).location == "/withdrawals"
    page = visitor.get("/withdrawals").text
    assert "1 films and" in page
    assert "pilot" in page
    assert "secret-case-0" not in page
    assert SCRIPT not in page
    with site.record.database.read() as session:
        assert session.scalars(select(Withdrawal)).one().n_films == 1
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "patient_withdrawn")).one()
        assert (entry.actor, entry.detail["reason"]) == ("coordinator", SCRIPT)


def test_a_slip_of_the_finger_erases_nothing(site):
    visitor = site.visit("coordinator")
    for form in (
        {"case": "secret-case-0", "again": "secret-case-1", "reason": "asked"},
        {"case": "", "again": "", "reason": "asked"},
        {"case": "secret-case-0", "again": "secret-case-0", "reason": ""},
        {"case": SCRIPT, "again": SCRIPT, "reason": "asked"},
    ):
        visitor.post("/withdrawals", **form)
        page = visitor.get("/withdrawals").text
        assert "alert-warning" in page
        assert SCRIPT not in page
    with site.record.database.read() as session:
        assert session.scalars(select(Withdrawal)).all() == []


def test_what_is_left_of_an_interrupted_withdrawal_can_be_erased_from_the_page(site, monkeypatch):
    visitor = site.visit("admin")
    with monkeypatch.context() as patch:
        patch.setattr("annotation_server.services.withdrawing.finish_withdrawals", lambda _: 0)
        visitor.post("/withdrawals", case="secret-case-0", again="secret-case-0", reason="asked")
    assert "Erase them now" in visitor.get("/withdrawals").text
    visitor.post("/withdrawals/finish")
    assert "Erase them now" not in visitor.get("/withdrawals").text
