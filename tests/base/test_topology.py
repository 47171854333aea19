"""Cores and caches as the system describes them, in folders that stand for the real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastmlp import _core

PROCESSORS = Path("sys/devices/system/cpu")


def write(root, files):
    for name, text in files.items():
        path = root / PROCESSORS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def caches(processor, *rows):
    """The files of each (level, type, size, processors that share it)."""
    files = {}
    for index, row in enumerate(rows):
        for name, value in zip(("level", "type", "size", "shared_cpu_list"), row, strict=True):
            files[f"cpu{processor}/cache/index{index}/{name}"] = str(value)
    return files


USUAL = [
    (1, "Data", "48K", "0,4"),
    (1, "Instruction", "32K", "0,4"),
    (2, "Unified", "1280K", "0,4"),
    (3, "Unified", "36864K", "0-7"),
]


def sizes(root, processor=0):
    return [_core.read_cache_bytes(str(root), processor, level) for level in (1, 2, 3)]


def test_cache_sizes_are_those_of_data_caches(tmp_path):
    write(tmp_path, caches(0, *USUAL) | {"cpu0/topology/thread_siblings_list": "0,4"})
    assert sizes(tmp_path) == [48 << 10, 1280 << 10, 36864 << 10]


def test_a_second_level_cache_is_divided_by_the_cores_that_share_it(tmp_path):
    shared = [(2, "Unified", "4M", "16-23")]
    write(tmp_path, caches(16, *shared))
    assert sizes(tmp_path, 16) == [0, 512 << 10, 0]
    write(tmp_path, {"cpu16/topology/thread_siblings_list": "16-17"})
    assert sizes(tmp_path, 16) == [0, 1 << 20, 0]


@pytest.mark.parametrize("size", ["", "none", "-4K", "0", "99999999999999999999K"])
def test_a_size_that_is_no_number_is_unknown(tmp_path, size):
    write(tmp_path, caches(0, (1, "Data", size, "0")))
    assert sizes(tmp_path) == [0, 0, 0]


@pytest.mark.parametrize("shared", ["", "x", "7-3", "0-99999999999999999999", ",,"])
def test_a_bad_list_of_processors_divides_nothing(tmp_path, shared):
    write(tmp_path, caches(0, (2, "Unified", "1024K", shared)))
    assert sizes(tmp_path) == [0, 1 << 20, 0]


def test_no_files_mean_unknown_sizes(tmp_path):
    assert sizes(tmp_path) == [0, 0, 0]


def test_this_machine_has_plausible_caches():
    first, second, third = (_core.cache_bytes(level) for level in (1, 2, 3))
    assert 8 << 10 <= first <= second
    assert second >= 128 << 10
    assert third >= 1 << 20


# ---- cores ----


def processors(count, **files):
    """Files of `count` processors: for each file a function of the number."""
    return {
        f"cpu{i}/{name.replace('__', '/')}": str(text(i))
        for i in range(count)
        for name, text in files.items()
    }


def siblings(count, of):
    return processors(count, topology__thread_siblings_list=of)


def server(i):
    """Eight cores, whose second threads are numbered from 8 on."""
    return f"{i % 8},{i % 8 + 8}"


def cores(root, allowed):
    return _core.read_cores(str(root), allowed)


def test_second_threads_of_cores_do_not_count(tmp_path):
    write(tmp_path, siblings(16, server))
    assert cores(tmp_path, range(16)) == (8, 8)
    assert cores(tmp_path, [0, 8, 1]) == (2, 2)
    assert cores(tmp_path, [9]) == (1, 1), "the first thread of its core is not allowed"
    assert cores(tmp_path, [9, 10, 11, 3]) == (3, 3)


def test_neighbouring_numbers_can_be_one_core(tmp_path):
    write(tmp_path, siblings(6, lambda i: f"{i // 2 * 2}-{i // 2 * 2 + 1}"))
    assert cores(tmp_path, range(6)) == (3, 3)
    assert cores(tmp_path, [1, 3, 5]) == (3, 3)


def test_without_files_each_processor_is_a_core(tmp_path):
    assert cores(tmp_path, range(5)) == (5, 5)
    assert cores(tmp_path, [1023]) == (1, 1)


@pytest.mark.parametrize("text", ["", "x", "5", "3-0", "-1", "0-99999999999999999999x"])
def test_a_bad_list_of_siblings_joins_no_other_core(tmp_path, text):
    write(tmp_path, {"cpu1/topology/thread_siblings_list": text})
    assert cores(tmp_path, [1]) == (1, 1)


def hybrid(i):
    """Two performance cores of two threads, and four efficiency cores."""
    return f"{i // 2 * 2}-{i // 2 * 2 + 1}" if i < 4 else str(i)


def test_lists_of_a_hybrid_chip(tmp_path):
    write(tmp_path, siblings(8, hybrid))
    write(tmp_path, {"../../cpu_core/cpus": "0-3", "../../cpu_atom/cpus": "4-7"})
    assert cores(tmp_path, range(8)) == (6, 2)
    assert cores(tmp_path, [1, 5, 6]) == (3, 1)
    assert cores(tmp_path, [4, 5]) == (2, 2), "only efficiency cores are left"


def test_capacities_of_a_hybrid_chip(tmp_path):
    write(
        tmp_path, processors(8, cpu_capacity=lambda i: [325, 325, 325, 325, 871, 871, 871, 1024][i])
    )
    assert cores(tmp_path, range(8)) == (8, 4)
    assert cores(tmp_path, range(4)) == (4, 4)


def test_frequencies_of_a_hybrid_chip(tmp_path):
    write(tmp_path, siblings(8, hybrid))
    frequency = {"cpufreq__cpuinfo_max_freq": lambda i: 5_100_000 if i < 4 else 3_900_000}
    write(tmp_path, processors(8, **frequency))
    assert cores(tmp_path, range(8)) == (6, 2)
    assert cores(tmp_path, [3, 4]) == (2, 1), "the first thread of its core is not allowed"


def test_good_samples_of_equal_cores_are_not_another_kind(tmp_path):
    frequency = {"cpufreq__cpuinfo_max_freq": lambda i: 5_200_000 if i < 2 else 5_000_000}
    write(tmp_path, processors(8, **frequency))
    assert cores(tmp_path, range(8)) == (8, 8)


def test_capacities_win_over_frequencies(tmp_path):
    frequency = {"cpufreq__cpuinfo_max_freq": lambda i: 5_000_000 if i < 2 else 1_000_000}
    write(tmp_path, processors(4, cpu_capacity=lambda _: 1024, **frequency))
    assert cores(tmp_path, range(4)) == (4, 4)
