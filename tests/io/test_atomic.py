"""Files are replaced as a whole, however the writer ends, and no temporary file remains."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fastmlp.io import atomic, write_atomically


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def chunks() -> Any:
        yield b"new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, chunks())
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_failed_rename_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomically(tmp_path / "folder", [b"new"])
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_an_interrupt_when_the_file_has_just_been_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file and its descriptor used to remain."""

    def interrupted(*arguments: Any) -> Any:
        open(*arguments).close()
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic, "open", interrupted, raising=False)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", [b"new"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_errors_name_the_path(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device", "another name")

    path = tmp_path / "file"
    path.write_bytes(b"old")
    place = (atomic, "open") if call == "open" else (os, call)
    monkeypatch.setattr(*place, fails, raising=False)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_atomically(path, [b"new"])
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions and links")
def test_mode_and_links_are_kept(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    write_atomically(link, [b"new"])
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="needs a umask")
def test_new_file_obeys_the_umask(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write_atomically(tmp_path / "new", [b"new"])
    assert (tmp_path / "new").stat().st_mode == plain.stat().st_mode


# Writes twice; the second time it kills itself before or after the named function.
KILLED = """
import os, signal, sys
from fastmlp.io import write_atomically
path, name, when = sys.argv[1:]
write_atomically(path, [b"old"])
real = getattr(os, name)
def hook(*arguments):
    if when == "after":
        real(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, name, hook)
write_atomically(path, [b"new"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("name", ["fsync", "replace"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_write_is_cleaned_up_by_the_next(name: str, when: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    arguments = [sys.executable, "-c", KILLED, str(path), name, when]
    assert subprocess.run(arguments).returncode == -signal.SIGKILL
    replaced = (name, when) == ("replace", "after")
    assert path.read_bytes() == (b"new" if replaced else b"old")
    assert len(list(tmp_path.iterdir())) == (1 if replaced else 2)
    write_atomically(path, [b"newer"])
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"newer"


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX locks")
def test_only_abandoned_files_of_the_target_are_removed(tmp_path: Path) -> None:
    outside = tmp_path / "precious"
    outside.write_bytes(b"kept")
    folder = tmp_path / "folder"
    folder.mkdir()
    digits = "0123456789abcdef"
    kept = [f".other.{digits}.tmp", f".file.{digits}", ".file.tmp", f".file.{digits}x.tmp",
            f".file2.{digits}.tmp", f"file.{digits}.tmp"]  # fmt: skip
    for name in kept:
        (folder / name).write_bytes(b"kept")
    (folder / f".file.{digits[::-1]}.tmp").symlink_to(outside)
    os.mkfifo(folder / f".file.{digits[1:]}0.tmp")
    (folder / f".file.{digits[2:]}01.tmp").mkdir()
    (folder / f".file.{digits}.tmp").write_bytes(b"abandoned")
    before = {p.name for p in folder.iterdir()}
    write_atomically(folder / "file", [b"new"])
    assert {p.name for p in folder.iterdir()} == before - {f".file.{digits}.tmp"} | {"file"}
    assert outside.read_bytes() == b"kept"


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX locks")
def test_writers_keep_the_files_of_other_writers(tmp_path: Path) -> None:
    """While one writer works, another finishes, in the same process or in another one."""
    path = tmp_path / "file"
    code = (
        "import sys\nfrom fastmlp.io import write_atomically\nwrite_atomically(sys.argv[1], [b'B'])"
    )

    def chunks() -> Any:
        yield b"a"
        write_atomically(path, [b"inner"])
        assert path.read_bytes() == b"inner"
        subprocess.run([sys.executable, "-c", code, str(path)], check=True)
        assert path.read_bytes() == b"B"
        yield b"A"

    write_atomically(path, chunks())
    assert path.read_bytes() == b"aA"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that another writer may need are kept, and no open file is renamed."""
    monkeypatch.setattr(atomic, "fcntl", None)
    rename, closed = os.replace, []

    def replace(*paths: Any) -> None:
        closed.append(written[0].closed)
        rename(*paths)

    written: list[Any] = []
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(atomic, "_fill", lambda file, chunks: written.append(file))
    (tmp_path / ".file.0123456789abcdef.tmp").write_bytes(b"of another")
    write_atomically(tmp_path / "file", [])
    assert {p.name for p in tmp_path.iterdir()} == {"file", ".file.0123456789abcdef.tmp"}
    assert closed == [True]


def test_many_writers_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [bytes([k]) * 1000 for k in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: write_atomically(path, [one]), contents * 8))
    assert path.read_bytes() in contents
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_name_that_is_long_in_bytes(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 125)
    write_atomically(path, [b"new"])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
