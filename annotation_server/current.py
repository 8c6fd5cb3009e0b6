"""What the application of the present request was made with."""

from flask import current_app

from annotation_server.services.drafting import DraftingService
from annotation_server.services.reading import ReadingService
from db.record import Record


def record() -> Record:
    """The record."""
    found: Record = current_app.extensions["record"]
    return found


def reading() -> ReadingService:
    """The reading service."""
    service: ReadingService = current_app.extensions["reading"]
    return service


def drafting() -> DraftingService:
    """The service for drafts."""
    return DraftingService(record())
