"""The memory that is free: what the machine has, and what the control groups around the process leave of it."""

import torch

from paribus.job import Run
from paribus.population import memory
from paribus.population.runner import Runner
from paribus.provenance import Usage


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_a_limit_above_counts_and_cache_is_free(tmp_path):
    (tmp_path / "own").write_text("0::/system/job\n")
    root = tmp_path / "root"
    write(root / "system", memory__max="1000\n", memory__current="700\n", memory__stat="anon 500\ninactive_file 150\n")
    write(root / "system" / "job", memory__max="max\n", memory__current="600\n", memory__stat="inactive_file 1\n")
    assert memory._below_limits(tmp_path / "own", root) == [450]


def test_the_first_version_of_groups(tmp_path):
    (tmp_path / "own").write_text("9:cpu,cpuacct:/a\n4:memory:/docker/abc\n")
    names = {"memory__limit_in_bytes": "2000", "memory__usage_in_bytes": "1500"}
    write(tmp_path / "root" / "memory", **names, memory__stat="total_inactive_file 100\n")
    assert memory._below_limits(tmp_path / "own", tmp_path / "root") == [600]


def test_no_groups_and_no_word_of_the_system(tmp_path):
    assert memory._below_limits(tmp_path / "own", tmp_path) == []
    assert memory._available(tmp_path / "meminfo") == memory.UNKNOWN
    (tmp_path / "meminfo").write_text("MemTotal:  9 kB\nMemAvailable:   8 kB\n")
    assert memory._available(tmp_path / "meminfo") == 8192


def test_here(tmp_path):
    assert 10_000_000 < memory.free_memory("cpu") < 2**50


def test_a_step_takes_what_is_kept_for_the_way_back(make_job, tmp_path):
    """One hidden layer of h units on b rows of one column: tanh keeps b h numbers, the layers their inputs."""
    hidden, rows = 4096, 50
    common = ("data=sine", "network=mlp", "data.n_train=200", f"data.batch_size={rows}")
    job = make_job(tmp_path, *common, f"network.hidden=[{hidden}]")
    run = Run(job, Usage(), lambda: None)
    family = run.prepare()
    before = [parameter.clone() for parameter in family.parameters()]
    kept = memory.step_bytes(run) / 2 / 4
    parameters = sum(parameter.numel() for parameter in family.parameters())
    assert rows * hidden <= kept <= 2 * rows * hidden + parameters + 10 * rows
    assert all(torch.equal(a, b) for a, b in zip(before, family.parameters(), strict=True))
    assert family.step == 0


def test_steps_count_towards_the_memory(make_job, tmp_path, capsys):
    """Wide layers and large minibatches: the steps of four take 4 x 2 x 4 bytes x 2,000 x 500, more than the budget."""
    wide = ("data=sine", "network=mlp", "network.hidden=[500]", "data.n_train=2000", "data.batch_size=2000")
    jobs = [make_job(tmp_path, *wide, f"seed={seed}", "trainer.max_steps=1") for seed in range(4)]
    Runner(jobs, 20_000_000, lambda place, outcome: None).run()
    assert len([line for line in capsys.readouterr().out.splitlines() if " runs of " in line]) > 1
