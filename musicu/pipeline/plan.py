"""What a run has to do, from what the source holds and what the catalog knows."""

from __future__ import annotations

from dataclasses import dataclass, field

from musicu.catalog.sources import Source, SourceFile
from musicu.pipeline.ledger import Ledger
from musicu.pipeline.tasks import Task
from musicu.records import Failure


@dataclass(slots=True)
class Plan:
    """The tasks of a run, and what needs none."""

    todo: list[Task] = field(default_factory=list)
    scan_failures: list[Failure] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    tracks: int = 0
    known: int = 0
    remembered: int = 0


def make_plan(source: Source, ledger: Ledger, force: bool, retry_failed: bool) -> Plan:
    """Sort the source's files into what is done, what failed before, and what is to do."""
    plan = Plan()
    for found in source:
        if isinstance(found, Failure):
            plan.scan_failures.append(found)
            plan.seen.add(found.track_id)
            continue
        plan.tracks += 1
        plan.seen.add(found.track_id)
        _place(found, plan, ledger, force, retry_failed)
    plan.tracks += len(plan.scan_failures)
    return plan


def _place(found: SourceFile, plan: Plan, ledger: Ledger, force: bool, retry: bool) -> None:
    """Put one file where it belongs in the plan."""
    clash = ledger.clash(found)
    if clash is not None:
        plan.scan_failures.append(clash)
        return
    unchanged = ledger.unchanged(found)
    if unchanged and ledger.failed_before(found.track_id) and not (retry or force):
        plan.remembered += 1
    elif unchanged and ledger.is_done(found.track_id) and not force:
        plan.known += 1
    else:
        known_hash = ledger.hash_of(found.track_id) if unchanged else None
        new = not ledger.knows(found.track_id)
        plan.todo.append(Task(found, known_hash, new, force))
