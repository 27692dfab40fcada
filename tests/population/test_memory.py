"""The memory that is free: what the machine has, and what the control groups around the process leave of it."""

from paribus.population import memory


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
