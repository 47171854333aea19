"""The benchmark of tables larger than memory, with a table of 400 kB."""

from __future__ import annotations

import sys

import pytest
from bench import streams

pytest.importorskip("pyarrow")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and the page cache")
def test_all_forms_train_on_the_same_rows(tmp_path, capsys):
    rows = streams.rows_of(4e-4)
    streams.write(tmp_path, rows)
    found = {}
    for kind in ("arrays", *streams.KINDS):
        streams.main([str(tmp_path), "--fit", kind])
        found[kind] = capsys.readouterr().out
        assert f'"rows": {rows}' in found[kind]
        assert streams.disk_rate(tmp_path, "map") > 0
    # They fit into one window, so the order is that of arrays, and so is the loss.
    assert len({text.split('"loss"')[1] for text in found.values()}) == 1
