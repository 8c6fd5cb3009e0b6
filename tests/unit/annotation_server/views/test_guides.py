"""The annotation guide, for those who write it and those who read by it."""

from sqlalchemy import select

from db.models import AuditEntry

TEXT = "# Infection\n- ground glass\n<script>alert(1)</script>"


def test_a_guide_is_published_and_the_newest_counts(site):
    coordinator, reader = site.visit("coordinator"), site.visit("reader")
    assert reader.get("/api/stages/pilot/I/guide").json == {"guide": None}
    assert "There is none yet" in coordinator.get("/campaigns/pilot/guide").text
    coordinator.post("/campaigns/pilot/guide", text=TEXT)
    coordinator.post("/campaigns/pilot/guide", text=TEXT.replace("\n", "\r\n") + "\r\n- consolidation\r\n")
    found = reader.get("/api/stages/pilot/I/guide").json["guide"]
    assert found == {"version": 2, "text": TEXT + "\n- consolidation"}
    page = coordinator.get("/campaigns/pilot/guide").text
    assert "Version 1" in page
    assert "<script>alert" not in page
    with site.record.database.read() as session:
        published = session.scalars(select(AuditEntry).where(AuditEntry.action == "guide_published")).all()
        assert [(entry.actor, entry.detail) for entry in published] == [
            ("coordinator", {"version": 1}),
            ("coordinator", {"version": 2}),
        ]


def test_an_empty_an_endless_and_an_unchanged_guide_are_refused(site):
    coordinator = site.visit("coordinator")
    coordinator.post("/campaigns/pilot/guide", text=TEXT)
    for text in ("  ", "x" * 50_001, TEXT + "\n"):
        coordinator.post("/campaigns/pilot/guide", text=text)
        assert "alert-warning" in coordinator.get("/campaigns/pilot/guide").text
    assert site.visit("reader").get("/api/stages/pilot/I/guide").json["guide"]["version"] == 1


def test_an_engineer_reads_it_and_publishes_none(site):
    engineer = site.visit("engineer")
    assert "Publish" not in engineer.get("/campaigns/pilot/guide").text
    assert engineer.post("/campaigns/pilot/guide", text=TEXT).status_code == 403
