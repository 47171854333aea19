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
