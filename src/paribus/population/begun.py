"""A job of many that one process has begun: claimed, prepared, trained alone or with others, closed."""

from collections.abc import Callable
from contextlib import suppress

from paribus.errors import UserError, stopped
from paribus.job import Run
from paribus.population.members import Member
from paribus.population.share import Share, counted
from paribus.study.locks import Claim

Outcome = str | Exception
"""How a job ended: its record's status, `skipped`, or what kept it from leaving a record."""


class Begun:
    """A job that is claimed. What goes wrong with it is how it ended, and leaves the others as they are.

    Args:
        run: begun.
        claim: of its folder.
        share: its time.
        tell: told how it ended.

    Attributes:
        is_open: whether it is yet to be closed.
    """

    def __init__(self, run: Run, claim: Claim, share: Share, tell: Callable[[Outcome], None]) -> None:
        self.run, self.share = run, share
        self._claim, self._tell = claim, tell
        self.is_open = True
        self._ended = False

    @property
    def is_unshown(self) -> bool:
        """Whether its record is written, and no logger has been told: those of members would all be open at once."""
        return self._ended and not self.run.loggers and bool(self.run.job.config.get("logger"))

    @property
    def member(self) -> Member:
        """It as a member of a population."""
        assert self.run.family is not None
        return Member(self.run.family, self.run.data, self.run.curves)

    def do(self, work: Callable[[], object]) -> None:
        """Do a part of this job, on its own time; an error closes it.

        Raises:
            KeyboardInterrupt: stopped; the job is still open.
        """
        try:
            with counted([self.share]):
                work()
        except Exception as error:
            if stopped(error):
                raise KeyboardInterrupt from error
            self.close(error)

    def end(self, work: Callable[[], object]) -> None:
        """Do the last part of this job, and close it."""
        self.do(work)
        if self.is_open:
            self.close(None)

    def train_alone(self) -> None:
        """Train, evaluate and close."""

        def work() -> None:
            self.run.train(progress=False)
            self.run.finish()

        self.end(work)

    def close(self, error: BaseException | None) -> None:
        """Write the record, give the folder back, and tell. `error`: what stopped the job."""
        self.is_open = False
        outcome: Outcome
        try:
            if isinstance(error, UserError):
                self.run.withdraw()
                outcome = error
            else:
                outcome = self.run.close(error, self.share.so_far()).status
                self._ended = True
        except Exception as failure:  # the claim is lost, or the disk is full: the record cannot say so
            if stopped(failure):
                raise KeyboardInterrupt from failure
            outcome = failure
        finally:
            with suppress(OSError):
                self._claim.release()
        self._tell(outcome)
