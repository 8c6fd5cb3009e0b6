"""What `overread stage ensemble` shows: the evidence about networks before a stage opens."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isnan

import click

from annotation_server.services.choosing import Evidence, Report
from db.domain.ensemble import Suggestion
from db.domain.errors import StateError
from db.models import Stage

MAX_PAIRED = 10
"""Networks in the matrix of pairwise Dice: what fits on a screen."""


@contextmanager
def show_progress() -> Iterator[Report]:
    """A bar of the cases that are compared, on standard error and gone when they are."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as display:
        bar = display.add_task("Comparing masks", total=None)
        yield lambda n_done, n_total: display.update(bar, completed=n_done, total=n_total)


@dataclass(frozen=True)
class Shown:
    """The evidence for a stage of `campaign` that has the networks `present`."""

    campaign: str
    present: tuple[str, ...]
    evidence: Evidence | None

    @classmethod
    def of(cls, stage: Stage, evidence: Evidence | None) -> "Shown":
        """What is shown for a stage."""
        return cls(stage.campaign.name, tuple(network.name for network in stage.definition.networks), evidence)

    def show(self, n_members: int | None) -> tuple[str, ...]:
        """Print everything; the suggested ensemble of `n_members`, or of as many as the stage has now.

        Raises
        ------
        StateError
            If a number is asked for and there is no evidence.
        InputError
            If it is more than there are measured networks.
        """
        if self.evidence is None:
            msg = "No case has both a final mask of a closed stage before this one and a map of every network."
            if n_members:
                raise StateError(msg, hint="Close the stage before it, or name networks with `--network`.")
            click.echo(msg)
            return ()
        found = self.evidence.out_of_fold
        suggestion = found.suggest(n_members or min(len(self.present), len(found.networks)))
        by_dice = sorted(found.networks, key=lambda name: (-found.mean_dice[name], name))
        _show_cases(self.evidence, self.campaign)
        _show_networks(self.evidence, by_dice, suggestion.networks, self.present)
        _show_pairs(self.evidence, by_dice[:MAX_PAIRED])
        _show_expected_best(self.evidence, suggestion, self.present)
        return suggestion.networks


def _show_cases(evidence: Evidence, campaign: str) -> None:
    found = evidence.out_of_fold
    click.echo(
        f"{found.n_cases} cases have a final mask of a closed stage and an out-of-fold map of every network;"
        f" {found.n_dropped} lack a map, {evidence.n_empty} have an empty mask and do not count."
    )
    if evidence.n_own:
        click.echo(
            f"In {evidence.n_own} of them the final mask is one of the very masks that are scored, which flatters its"
            f" network; `overread benchmark {campaign}` makes new ones."
        )


def _show_networks(evidence: Evidence, names: Sequence[str], suggested: Sequence[str], present: Sequence[str]) -> None:
    found, intervals = evidence.out_of_fold, evidence.out_of_fold.intervals()
    click.echo(f"\n    {'network':32} {'Dice':>5} {'95 % interval':>16} {'suggested':>10} {'present':>8}  jobs")
    for number, name in enumerate(names, 1):
        low, high = intervals[name]
        interval = "of one patient" if isnan(low) else f"{low:.3f} to {high:.3f}"
        click.echo(
            f"{number:3} {name:32} {found.mean_dice[name]:.3f} {interval:>16}"
            f" {_mark(name, suggested):>10} {_mark(name, present):>8}  {_listed(evidence.jobs[name])}"
        )
    for name in present:
        if name not in found.networks:
            click.echo(f"    {name:32} {'-':>5} {'not measured':>16} {'-':>10} {'yes':>8}")


def _show_pairs(evidence: Evidence, names: Sequence[str]) -> None:
    found = evidence.out_of_fold
    of_how_many = f", of the first {len(names)}" if len(names) < len(found.networks) else ""
    click.echo(f"\nDice between the masks of two networks{of_how_many}")
    click.echo("   " + "".join(f"{number:6}" for number in range(1, len(names) + 1)))
    rows = [found.networks.index(name) for name in names]
    for number, row in enumerate(rows, 1):
        click.echo(f"{number:3}" + "".join(f"{found.pairwise[row, column]:6.2f}" for column in rows))


def _show_expected_best(evidence: Evidence, suggestion: Suggestion, present: Sequence[str]) -> None:
    found = evidence.out_of_fold
    measured = [name for name in present if name in found.networks]
    at_least = "at least " if len(measured) < len(present) else ""
    best = f"{at_least}{found.expected_best(measured):.3f}" if measured else "not measured"
    left_out = "unknown with one fold" if isnan(suggestion.left_out) else f"{suggestion.left_out:.3f}"
    way = "the best of all such sets" if suggestion.is_exhaustive else "found by adding, then swapping, networks"
    click.echo("\nExpected best: the mean Dice that a reader gets who always picks the best mask")
    click.echo(f"  present    {best}  {_listed(present)}")
    click.echo(f"  suggested  {suggestion.expected_best:.3f}  {_listed(suggestion.networks)} ({way})")
    click.echo(f"  left out   {left_out}  chosen on the other folds: not flattered by the choice")


def _mark(name: str, names: Sequence[str]) -> str:
    return "yes" if name in names else "-"


def _listed(items: Iterable[object]) -> str:
    return ", ".join(map(str, items))
