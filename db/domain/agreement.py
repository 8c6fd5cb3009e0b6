"""What blind verdicts say about origins, and the chance level to say it against.

"Three of five masks were the machine's" (P11) proves nothing by itself: with three machines and one drawing on offer an
indifferent reader picks a machine three times in four. So a share is always reported beside `chance_machine_preferred`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import exp, inf, nan, pi, sqrt

import numpy as np
from scipy import integrate, special, stats

from db.domain.candidate import EQUAL_DICE
from db.domain.clustering import crossed_interval
from db.domain.errors import InputError
from db.domain.mask import Mask, dice
from db.domain.provenance import MaskOrigin
from db.domain.verdict import SLOTTED, VerdictKind

MANUAL = MaskOrigin.DRAWING.value
"""The origin of a reader's drawing in `Judgement.origins`; every other origin there is a network's name."""

Z_95 = 1.96


@dataclass(frozen=True)
class Judgement:
    """One comparison after unblinding, with the verdict that counts.

    Attributes
    ----------
    origins
        In slot order: `MANUAL` or a network's name.
    slot
        The slot that a pick or a touch-up names, from 0.
    equal_slots
        Slots whose masks are (nearly) that of `slot`, itself included: `find_equal_slots`.
    patient
        A pseudonym; empty where it is not known.
    holds_own
        Whether the reader's own drawing was on offer.
    """

    case: str
    reader: str
    origins: tuple[str, ...]
    kind: VerdictKind
    slot: int | None = None
    equal_slots: frozenset[int] = frozenset()
    patient: str = ""
    holds_own: bool = False

    def __post_init__(self) -> None:
        slots = self.equal_slots | ({self.slot} if self.slot is not None else set())
        if (self.slot is not None) != (self.kind in SLOTTED) or not slots <= set(range(len(self.origins))):
            msg = f"Verdict {self.kind} with slot {self.slot}, equal to {sorted(slots)}, of {len(self.origins)} slots."
            raise InputError(msg, hint="A pick or a touch-up names one of the slots, the others none.")

    @property
    def credit(self) -> Mapping[str, float]:
        """The share of the choice that each origin earned, summing to 1; empty where nothing was chosen.

        Equal candidates share it evenly, whichever of their panes was picked.
        """
        if self.slot is None:
            return {}
        equal = self.equal_slots | {self.slot}
        credited = Counter(self.origins[slot] for slot in equal)
        return {origin: n_slots / len(equal) for origin, n_slots in credited.items()}

    @property
    def offers_both(self) -> bool:
        """Whether a drawing and at least one machine's mask were on offer."""
        return MANUAL in self.origins and any(origin != MANUAL for origin in self.origins)


@dataclass(frozen=True)
class Share:
    """A fraction `value` of `n` judgements with its 95 % interval and how that was made."""

    value: float
    low: float
    high: float
    n: int
    method: str


@dataclass(frozen=True)
class Preference:
    """What readers chose.

    Attributes
    ----------
    machine
        Share of the picks that went to a machine, over comparisons that offered both (stage I); touch-ups are not
        picks. Compare with `chance_machine_preferred`.
    credit
        Sum of credits of each origin over all picks.
    denied
        Share of judgements that denied all, of all but unreadable films (P15: under 5 %). "No infection" is judged,
        not denied.
    n_of_kind
        How many verdicts of each kind.
    """

    machine: Share
    credit: Mapping[str, float]
    denied: Share
    n_of_kind: Mapping[VerdictKind, int]


@dataclass(frozen=True)
class PositionBias:
    """How often each slot was picked or touched up, against an even spread. `p_value` is nan without a choice.

    The chi-square is an approximation that wants about 5 expected choices a slot.
    """

    n_chosen: tuple[int, ...]
    chi_square: float
    p_value: float


def find_equal_slots(masks: Sequence[Mask], slot: int) -> frozenset[int]:
    """Slots whose masks [n slots, height, width] reach a Dice of `EQUAL_DICE` with that of `slot`, itself included."""
    return frozenset(i for i, mask in enumerate(masks) if i == slot or dice(mask, masks[slot]) >= EQUAL_DICE)


def measure_preference(judgements: Sequence[Judgement]) -> Preference:
    """Preference statistics of the verdicts that count, one judgement a reader and case."""
    picks = [judgement for judgement in judgements if judgement.kind is VerdictKind.PICK]
    credit: dict[str, float] = defaultdict(float)
    for pick in picks:
        for origin, part in pick.credit.items():
            credit[origin] += part
    contested = [pick for pick in picks if pick.offers_both]
    judged = [judgement for judgement in judgements if judgement.kind is not VerdictKind.UNREADABLE]
    n_of_kind = Counter(judgement.kind for judgement in judgements)
    return Preference(
        machine=measure_share(
            ((pick.reader, 1 - pick.credit.get(MANUAL, 0.0)) for pick in contested),
            patients=[pick.patient for pick in contested],
        ),
        credit=dict(credit),
        denied=measure_share(
            ((judgement.reader, float(judgement.kind is VerdictKind.DENY_ALL)) for judgement in judged),
            patients=[judgement.patient for judgement in judged],
        ),
        n_of_kind={kind: n_of_kind[kind] for kind in VerdictKind},
    )


def measure_share(outcomes: Iterable[tuple[str, float]], *, patients: Sequence[str] = ()) -> Share:
    """The mean of outcomes in 0..1, each with its reader, and its 95 % interval.

    `patients` are those of the outcomes, in their order; without them, or where one is not known, nothing clusters by
    patient.

    With one reader the interval is Wilson's over judgements. With more it is Student's t over readers, because one
    reader's verdicts resemble each other, around the pooled share (readers weigh by what they judged), and never
    narrower than Wilson's, because few readers can agree by luck. With patients it is widened to the bootstrap that
    draws readers and patients (`clustering.crossed_interval`) where that reaches further; of one reader only the
    patients are drawn.
    """
    pairs = list(outcomes)
    of_reader: dict[str, list[float]] = defaultdict(list)
    for reader, outcome in pairs:
        of_reader[reader].append(outcome)
    n = sum(map(len, of_reader.values()))
    if n == 0:
        return Share(nan, nan, nan, 0, "no judgement")
    share = sum(map(sum, of_reader.values())) / n
    low, high = wilson_interval(share, n)
    clustered = ""
    if len(set(patients)) > 1 and all(patients):
        values, readers = [outcome for _, outcome in pairs], [reader for reader, _ in pairs]
        crossed = crossed_interval(values, readers, patients)
        low, high = min(low, crossed[0]), max(high, crossed[1])
        clustered = f" or than a bootstrap over readers and {len(set(patients))} patients"
    if (n_readers := len(of_reader)) == 1:
        how = "Wilson over judgements of one reader" + clustered.replace(" or than a", ", no narrower than a")
        return Share(share, low, high, n, how)
    residuals = [sum(own) - share * len(own) for own in of_reader.values()]
    error = sqrt(n_readers / (n_readers - 1) * sum(residual**2 for residual in residuals)) / n
    reach = float(stats.t.ppf(0.975, n_readers - 1)) * error
    return Share(
        share,
        max(0.0, min(low, share - reach)),
        min(1.0, max(high, share + reach)),
        n,
        f"t over {n_readers} readers, no narrower than Wilson over judgements{clustered}",
    )


def measure_mean(values: Sequence[float], patients: Sequence[str]) -> Share:
    """The mean of one value a case, with its 95 % interval by drawing patients."""
    if not values:
        return Share(nan, nan, nan, 0, "no case")
    low, high = crossed_interval(values, [0] * len(values), patients)
    return Share(float(np.mean(values)), low, high, len(values), f"bootstrap over {len(set(patients))} patients")


def wilson_interval(share: float, n: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's interval of a share of n. Parts of a credit in the share only make it wider than need be."""
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, centre - reach), min(1.0, centre + reach)


def chance_machine_preferred(n_machines: int, correlation: float = 0.0) -> float:
    """How often an indifferent reader picks a machine, when one drawing stands beside `n_machines` machines' masks.

    The reader takes the best of standard normal qualities, equally good on average. Those of the machines correlate
    with each other by `correlation` (0..1), because networks trained on the same masks err alike; the drawing's does
    with none. Three machines: 0.75 at 0, 0.65 at 0.6, 0.58 at 0.9; 0.5 at 1, where three masks are one.

    The drawing wins with E[Phi(u sqrt((1 + c) / (1 - c)))^n] over a standard normal u: given its lead over what the
    machines share, each of them fails to reach it independently.
    """
    if n_machines < 1 or not 0 <= correlation <= 1:
        msg = f"{n_machines} machines with a correlation of {correlation} were given; 1 or more and 0 to 1 are allowed."
        raise InputError(msg)
    if correlation == 1:
        return 0.5
    slope = sqrt((1 + correlation) / (1 - correlation))
    drawing_wins, _ = integrate.quad(
        lambda u: special.ndtr(slope * u) ** n_machines * exp(-(u**2) / 2), -inf, inf, epsabs=1e-10
    )
    return 1 - float(drawing_wins) / sqrt(2 * pi)


def measure_position_bias(judgements: Sequence[Judgement]) -> PositionBias:
    """Chi-square of the chosen slots against an even spread, which the balanced slot order makes right for any origin.

    Raises
    ------
    InputError
        If comparisons differ in their number of slots: ask stage by stage.
    """
    n_slots = {len(judgement.origins) for judgement in judgements}
    if len(n_slots) > 1:
        msg = f"Comparisons of {sorted(n_slots)} slots were mixed."
        raise InputError(msg, hint="Measure each stage by itself: its number of candidates is constant.")
    chosen = [judgement.slot for judgement in judgements if judgement.slot is not None]
    n_chosen = np.bincount(chosen, minlength=max(n_slots, default=0))
    test = stats.chisquare(n_chosen) if chosen else None
    statistic, p_value = (float(test.statistic), float(test.pvalue)) if test else (nan, nan)
    return PositionBias(tuple(n_chosen.tolist()), statistic, p_value)


def mean_pairwise_dice(masks: Sequence[Mask]) -> float:
    """Mean Dice over all pairs of readers' chosen masks of one case; nan with fewer than two."""
    pairs = [dice(a, b) for a, b in combinations(masks, 2)]
    return float(np.mean(pairs)) if pairs else nan
