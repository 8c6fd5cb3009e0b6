"""The record: every table, typed.

Read module by module it follows the work: films, campaigns and stages, networks, masks, what readers were shown and
said, what became final, what was done. Times are UTC. Digests name files in the store.
"""

from db.models.base import Base, UtcDateTime, now
from db.models.campaigns import Campaign, CampaignCase, Guide, Round, Stage, StageReader
from db.models.films import CaseRow, PhantomTruth
from db.models.log import AuditEntry, Withdrawal
from db.models.masks import Candidate, MaskRow
from db.models.networks import Checkpoint, EncoderWeights, Job, Prediction, Progress, TrainingExample
from db.models.people import Account, ApiToken, EndedSession, Invitation
from db.models.verdicts import Comparison, Draft, FinalMask, Verdict

__all__ = [
    "Account",
    "ApiToken",
    "AuditEntry",
    "Base",
    "Campaign",
    "CampaignCase",
    "Candidate",
    "CaseRow",
    "Checkpoint",
    "Comparison",
    "Draft",
    "EncoderWeights",
    "EndedSession",
    "FinalMask",
    "Guide",
    "Invitation",
    "Job",
    "MaskRow",
    "PhantomTruth",
    "Prediction",
    "Progress",
    "Round",
    "Stage",
    "StageReader",
    "TrainingExample",
    "UtcDateTime",
    "Verdict",
    "Withdrawal",
    "now",
]
