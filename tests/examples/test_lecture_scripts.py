"""Every script of the lecture runs, prints, and draws the committed pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

threadpoolctl = pytest.importorskip("threadpoolctl")
pytest.importorskip("resource")  # needed by script 08; missing on Windows
pytest.importorskip("sklearn")  # needed by scripts 20 and 34

FOLDER = Path(__file__).parents[2] / "examples" / "lecture"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("[0-9]*.py"))
MINIMAL = [name for name in SCRIPTS if name.endswith("_minimal")]
LONG = ["24_sizes_and_activations"]  # 190 trainings; other tests check its numbers
STARTS = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<svg", ".gif": b"GIF89a"}
LARGEST_PICTURE = 150_000


@pytest.mark.scripts
@pytest.mark.parametrize("name", [name for name in SCRIPTS if name not in LONG + MINIMAL])
def test_scripts_print_and_draw(lecture, name, tmp_path, capsys):
    """Each script checks its own numbers and raises an error if one is wrong."""
    # NumPy's threads would wait for each other on a busy machine.
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        lecture(name).main(tmp_path)
    assert capsys.readouterr().out
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(path.name for path in (FOLDER / "pictures").glob(f"{name}*"))
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(STARTS[path.suffix])
        assert path.stat().st_size < LARGEST_PICTURE


@pytest.mark.scripts
@pytest.mark.parametrize("name", MINIMAL)
def test_minimal_scripts_print(lecture, name, capsys):
    lecture(name)
    assert capsys.readouterr().out


def test_committed_pictures_are_small_and_have_a_script():
    for path in (FOLDER / "pictures").iterdir():
        assert path.stat().st_size < LARGEST_PICTURE, path.name
        assert any(path.stem.startswith(name) for name in SCRIPTS), path.name
