"""The benchmark's stored predictions, scored: pixels, films, and how far the final masks flatter."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.artifacts import Store
from db.domain.case import CaseClass
from db.domain.errors import NotFoundError
from db.domain.mask import Mask
from db.models import Campaign, CampaignCase, CaseRow, Checkpoint, Job, PhantomTruth, Prediction
from db.repository.plans import final_masks
from ml_backend.data import fit_mask
from pipelines import detection_eval, segmentation_eval
from pipelines.benchmark import last_benchmark
from pipelines.detection_eval import Detection, FilmPeak
from pipelines.scores import ConfusionCounts
from pipelines.segmentation_eval import FilmPrediction, Segmentation

PIXEL_METRICS = ("sensitivity", "specificity", "precision", "f1", "f2", "accuracy")

PAPER_SEGMENTATION = {
    "sensitivity": 0.8400,
    "specificity": 0.9966,
    "precision": 0.8777,
    "f1": 0.8581,
    "f2": 0.8471,
    "accuracy": 0.9922,
    "auc": 0.9919,
}
"""U-Net on DenseNet-121, unfrozen, on 15,495 other films. Source: Table I (P35)."""

PAPER_DETECTION = {
    "U-Net, DenseNet-121, unfrozen": ConfusionCounts(tp=2903, fp=244, tn=12300, fn=48),
    "UNet++, DenseNet-121, unfrozen": ConfusionCounts(tp=2848, fp=105, tn=12439, fn=103),
}
"""The paper's most sensitive and most specific detector, on other films. Source: Table IV (P34)."""


@dataclass(frozen=True, eq=False)
class NetworkScores:
    """One network's out-of-fold predictions, scored against the final masks and, on phantoms, the truth."""

    network: str
    segmentation: Segmentation
    detection: Detection
    against_truth: Segmentation | None

    @property
    def f1(self) -> float:
        """Pooled F1 of pixels, by which networks are ranked; 0 where it is unknown."""
        return float(np.nan_to_num(self.segmentation.pixels.pooled.f1))


@dataclass(frozen=True)
class SourceCalls:
    """How many of a source's films the any-pixel rule calls infected."""

    source: str
    case_class: str
    n_films: int
    n_called: int


@dataclass(frozen=True, eq=False)
class Measured:
    """A finished benchmark; its networks stand by pooled F1 of pixels, the best first."""

    job: Job
    networks: tuple[NetworkScores, ...]
    sources: Mapping[str, tuple[str, str]]

    @property
    def best(self) -> NetworkScores:
        """The leading network."""
        return self.networks[0]

    @property
    def leading(self) -> tuple[NetworkScores, ...]:
        """The first three networks (P38)."""
        return self.networks[:3]

    def calls_by_source(self) -> list[SourceCalls]:
        """The best network's calls, source by source: a detector can learn the source instead of the disease."""
        called: dict[tuple[str, str], list[int]] = defaultdict(list)
        for film in self.best.detection.films:
            counts = film.counts(self.best.detection.scores.threshold)
            called[self.sources[film.case]].append(counts.tp + counts.fp)
        return [SourceCalls(*names, n_films=len(found), n_called=sum(found)) for names, found in sorted(called.items())]


def find_measured(session: Session, store: Store, campaign: Campaign) -> Measured | None:
    """Score the campaign's last finished benchmark; None where there is none."""
    try:
        job = last_benchmark(session, campaign)
    except NotFoundError:
        return None
    query = select(Prediction).join(Checkpoint).where(Checkpoint.job_id == job.id).order_by(Prediction.case_id)
    predictions: dict[str, list[Prediction]] = defaultdict(list)
    for prediction in session.scalars(query):
        predictions[prediction.checkpoint.network].append(prediction)
    if not predictions:
        return None
    finals = {key: found[0].digest for key, found in final_masks(session, campaign.id).items()}
    keys = select(CaseRow.key, PhantomTruth.infection_digest).join(PhantomTruth, PhantomTruth.case_id == CaseRow.id)
    truths: dict[str, str] = dict(session.execute(keys).all())
    scorer = _Scorer(store, finals, truths, _folds(session, campaign))
    scores = [scorer.score(network, found) for network, found in predictions.items()]
    return Measured(
        job=job,
        networks=tuple(sorted(scores, key=lambda one: (-one.f1, one.network))),
        sources={p.case.key: (p.case.source, p.case.case_class) for found in predictions.values() for p in found},
    )


@dataclass(frozen=True)
class _Scorer:
    store: Store
    finals: Mapping[str, str]
    truths: Mapping[str, str]
    folds: Mapping[str, int]
    fitted: dict[tuple[str, int], Mask] = field(default_factory=dict)

    def score(self, network: str, predictions: Sequence[Prediction]) -> NetworkScores:
        known = [prediction for prediction in predictions if prediction.case.key in self.truths]
        return NetworkScores(
            network=network,
            segmentation=segmentation_eval.evaluate(self._films(predictions, self.finals)),
            detection=detection_eval.evaluate(self._peaks(predictions)),
            against_truth=segmentation_eval.evaluate(self._films(known, self.truths)) if known else None,
        )

    def _films(self, predictions: Sequence[Prediction], references: Mapping[str, str]) -> Iterator[FilmPrediction]:
        """Films on their maps' own grids; one without a reference is a normal one, and its mask empty."""
        for prediction in predictions:
            case, probability = prediction.case, self.store.get_map(prediction.map_digest)
            digest = references.get(case.key)
            truth = self._fitted(digest, probability.shape[0]) if digest else np.zeros(probability.shape, np.bool_)
            yield FilmPrediction(case.key, case.component, self.folds[case.key], truth, probability)

    def _fitted(self, digest: str, side_px: int) -> Mask:
        """A reference at a map's size, made once for all networks."""
        if (digest, side_px) not in self.fitted:
            self.fitted[digest, side_px] = fit_mask(self.store.get_mask(digest), side_px)
        return self.fitted[digest, side_px]

    def _peaks(self, predictions: Sequence[Prediction]) -> Iterator[FilmPeak]:
        for prediction in predictions:
            case = prediction.case
            yield FilmPeak.of(
                self.store.get_map(prediction.map_digest),
                case=case.key,
                component=case.component,
                fold=self.folds[case.key],
                is_infected=case.case_class is CaseClass.INFECTION,
            )


def _folds(session: Session, campaign: Campaign) -> dict[str, int]:
    query = select(CaseRow.key, CampaignCase.fold).join(CampaignCase).where(CampaignCase.campaign_id == campaign.id)
    return {key: -1 if fold is None else fold for key, fold in session.execute(query)}
