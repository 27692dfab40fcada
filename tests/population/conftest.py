"""Jobs for the tests of populations."""

import pytest

from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.job import Job
from paribus.study.keys import train_key

SMALL = ("data=sine", "network=mlp", "network.hidden=[8]", "data.n_train=200", "data.batch_size=50")


@pytest.fixture(scope="session")
def make_job():
    """Makes the job of some overrides, recorded below a folder."""
    composer = Composer(open_tree())

    def make(output, *overrides):
        read = composer.read([*overrides, f"output={output}"])
        key = train_key(read.resolved)
        return Job(key, read.resolved, read.choices, output / read.resolved["name"] / key)

    return make


@pytest.fixture(scope="session")
def seeds(make_job):
    """Makes small jobs that differ in their seed."""

    def make(output, count, *overrides):
        return [make_job(output, *SMALL, f"seed={seed}", *overrides) for seed in range(count)]

    return make
