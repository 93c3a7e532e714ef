"""What a run has to do, from what the source holds and what the catalog knows.

The source is gone through twice, and neither time kept: once to count and to note what is to be
done, then to do it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from musicu.ingest.track_source import SourceFile
from musicu.pipeline.known import SAME, SEEN, TO_DO
from musicu.pipeline.run_state import RunState
from musicu.pipeline.tasks import StageSpec, Task
from musicu.progress import tracked
from musicu.records import Failure


@dataclass(slots=True)
class Survey:
    """What a source holds, in tracks: to do, known, failed before in the state that they are in,
    and such as cannot be looked at.
    """

    todo: int = 0
    known: int = 0
    remembered: int = 0
    unseen: int = 0

    @property
    def tracks(self) -> int:
        """All of them."""
        return self.todo + self.known + self.remembered + self.unseen

    @property
    def failed(self) -> int:
        """Those that have failed before anything is done."""
        return self.remembered + self.unseen


@dataclass(frozen=True, slots=True)
class Planner:
    """How files are sorted into done, failed before, and to do.

    force: do also what is done, tags among it. retry_failed: try again what failed before.
    """

    source: Iterable[SourceFile | Failure]
    state: RunState
    force: bool
    retry_failed: bool

    def survey(self, expect: Callable[[int], None]) -> Survey:
        """Look at every file; `expect` is told of each task how many there are so far."""
        survey = Survey()
        for found in tracked(self.source, "looking for what is new", unit="tracks"):
            if isinstance(found, Failure):
                self.state.add_failure(found)
                survey.unseen += 1
                continue
            self._place(found, survey)
            if survey.todo:
                expect(survey.todo)
        return survey

    def _place(self, found: SourceFile, survey: Survey) -> None:
        """Count one file, and note what is to be done with it."""
        tracks = self.state.tracks
        row = tracks.row(found.track_id)
        if row is None:
            survey.todo += 1
            return
        clash = self.state.clash(found, row)
        if clash is not None:
            tracks.flags[row] |= SEEN
            self.state.add_failure(clash)
            survey.unseen += 1
            return
        same = self.state.see(found, row)
        content_hash = tracks.hash_of(row) if same else None
        retagged = content_hash is not None and tracks.may_be_retagged(row, found)
        done = content_hash is not None and not self.force
        if done and not retagged and not self.state.missing(content_hash):
            survey.known += 1
        elif not retagged and self._stages(found, content_hash) is None:
            survey.remembered += 1
        else:
            tracks.flags[row] |= TO_DO | SAME if same else TO_DO
            survey.todo += 1

    def _stages(
        self, found: SourceFile, content_hash: str | None, *, retry: bool = False
    ) -> tuple[StageSpec, ...] | None:
        """What is to be made of a file; None where it failed before and nothing else is to do."""
        wanted = self.state.missing(None if self.force else content_hash)
        if self.force or self.retry_failed or retry:
            return wanted
        failed = self.state.failed_before(found)
        if content_hash is None:
            return None if failed & {None, *(stage.name for stage in wanted)} else wanted
        return tuple(stage for stage in wanted if stage.name not in failed) or None

    def tasks(self) -> Iterator[Task]:
        """What is to be done, in the order of the source."""
        tracks = self.state.tracks
        for found in self.source:
            if isinstance(found, Failure):
                continue
            row = tracks.row(found.track_id)
            if row is None:
                yield Task(found, None, True, self.state.missing(None), self.force)
            elif tracks.flags[row] & TO_DO:
                yield self._task(found, row)

    def _task(self, found: SourceFile, row: int) -> Task:
        """What is to be done with a known track; with `force` its sound is hashed again too."""
        tracks = self.state.tracks
        same = bool(tracks.flags[row] & SAME) and tracks.has_stamp(row, found)
        inspect = not same or (self.force and found.changed_ns is not None)
        content_hash = None if inspect else tracks.hash_of(row)
        retagged = content_hash is not None and tracks.may_be_retagged(row, found)
        stages = self._stages(found, content_hash, retry=retagged) or ()
        return Task(found, content_hash, False, stages, self.force, retagged)
