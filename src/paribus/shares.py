"""A sweep's jobs dealt into shares, each of them one task of the launcher, which trains it as one program.

Launchers of Hydra know nothing of it: they are given as many tasks as there are shares, and a task function that runs
the share of its number.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from paribus.study.plan import PlannedJob

Config = tuple[Mapping[str, Any], Mapping[str, str]]
"""A job's resolved config, and the option chosen of each config group."""


class Shares:
    """The task function of a launcher's workers; it is sent to them.

    Args:
        jobs: to be dealt.
        workers: how many shares, at most; every kind of job is spread over them where that leaves enough of it in each.
        first: number of the first task, as Hydra counts them.
    """

    def __init__(self, jobs: Sequence[PlannedJob], workers: int, first: int) -> None:
        from paribus.job import Job
        from paribus.population.unfinished import find_unfinished
        from paribus.population.workers import SPLIT, shared_out

        self._configs: list[Config] = [(job.config.resolved, job.config.choices) for job in jobs]
        unfinished, _ = find_unfinished([Job.of(*config) for config in self._configs])
        whole = [population.places for population in unfinished]
        least = min(SPLIT, max(1, len(jobs) // workers))
        self._places = shared_out([config for config, _ in self._configs], workers, whole, least)
        self._first = first
        self.overrides = [list(jobs[places[0]].overrides) for places in self._places]

    def __call__(self, config: DictConfig) -> list[Any]:
        """Run the share whose turn it is; how each of its jobs ended."""
        from paribus.population.workers import run_share

        places = self._places[HydraConfig.get().job.num - self._first]
        return run_share([self._configs[place] for place in places])

    def returns(self, tasks: Sequence[JobReturn]) -> list[JobReturn]:
        """What the launcher would have returned for each job, from what it returned for each share."""
        returned: dict[int, JobReturn] = {}
        for places, task in zip(self._places, tasks, strict=True):
            failed = task.status == JobStatus.FAILED
            outcomes = [task._return_value] * len(places) if failed else task.return_value
            for place, outcome in zip(places, outcomes, strict=True):
                status = JobStatus.FAILED if isinstance(outcome, BaseException) else JobStatus.COMPLETED
                returned[place] = JobReturn(status=status, _return_value=outcome)
        return [returned[place] for place in sorted(returned)]
