"""`fastmlp bench`: which libraries it times or names as missing, and its table."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.cli import bench, main, peers
from fastmlp.cli.bench import Line
from fastmlp.cli.peers import OURS, PEERS, Peer, Sides

for package in ("click", "rich", "sklearn"):
    pytest.importorskip(package)
threadpoolctl = pytest.importorskip("threadpoolctl")

SMALL = ("train", 5, (4, 6, 3))
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One small cell and no pauses."""
    monkeypatch.setattr(bench, "CELLS", [SMALL])
    monkeypatch.setattr(bench, "PAUSE", 0.0)


def find_nothing(name: str) -> None:
    return None


def wrong_labels(weights, x, y) -> Sides:
    return peers.by_hand(weights, x, (y + 1) % 3)


def not_a_number(weights, x, y) -> Sides:
    return peers.by_hand(weights, x * np.float32("nan"), y)


def no_step(weights, x, y) -> Sides:
    return Sides({"train": lambda: None}, lambda: [a for pair in weights for a in pair])


def broken(weights, x, y) -> Sides:
    raise OSError("libwhatever.so: cannot open shared object file")


@pytest.mark.usefixtures("quick")
def test_missing_libraries_are_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The width of a common terminal.
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("importlib.util.find_spec", find_nothing)
    assert main(["bench", "--seconds", "0.001"]) == 0
    head, row, *_, missing = capsys.readouterr().out.splitlines()
    assert head.split() == ["fastmlp", "numpy", "faster"]
    assert row.startswith("train 5, 4-6-3")
    hint = 'pip install "fastmlp[bench]"'
    assert missing == f"Missing: sklearn, torch, jax, onnx, onnxruntime ({hint})"


@pytest.mark.usefixtures("quick")
def test_the_threads_option_is_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "PEERS", PEERS[:1])
    before = fm.get_num_threads()
    try:
        assert main(["bench", "--seconds", "0.001", "--threads", "3"]) == 0
        assert fm.get_num_threads() == 3
    finally:
        fm.set_num_threads(before)
    assert "threads: 3;" in capsys.readouterr().out


def test_the_hint_names_an_extra() -> None:
    assert "\nbench = [" in (ROOT / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_nothing_is_cut(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    shown: list[str] = []

    def made_up(
        found: list[Peer], kind: str, batch: int, widths: tuple[int, ...], _: float
    ) -> Line:
        title = f"{kind} {batch}, {'-'.join(map(str, widths))}"
        times = {peer.name: 1e-6 * rng.integers(100, 20000) for peer in found}
        shown.extend([title, *times, *(f"{1e6 * seconds:.0f}" for seconds in times.values())])
        return Line(title, times, {})

    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr(bench, "_line", made_up)
    assert main(["bench"]) == 0
    out = capsys.readouterr().out
    assert len(shown) == len(bench.CELLS) * (1 + 2 * len(PEERS))
    assert [text for text in shown if text not in out] == []
    assert "Missing" not in out
    if width >= 60:
        assert max(map(len, out.splitlines())) <= width


@pytest.mark.parametrize(
    ("micros", "shown"), [(2.4, "2.4"), (35.26, "35.3"), (99.96, "100"), (123456.7, "123457")]
)
def test_figures_have_no_exponent(micros: float, shown: str) -> None:
    assert bench._figure(Line("", {OURS: 1e-6 * micros}, {}), OURS) == shown


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (wrong_labels, "wrong result"),
        (not_a_number, "wrong result"),
        (no_step, "wrong result, relative error 1"),
        (broken, "libwhatever.so"),
    ],
)
def test_wrong_libraries_are_listed_and_not_timed(
    make, why: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "PEERS", (PEERS[0], Peer("peer", make)))
    monkeypatch.setenv("COLUMNS", "120")
    with np.errstate(all="ignore"):
        assert main(["bench", "--seconds", "0.001"]) == 0
    _, row, _, failed = capsys.readouterr().out.splitlines()
    assert row.split()[-2:] == ["failed", "-"]
    assert failed.startswith(f"Failed: peer in train 5, 4-6-3: {why}")


@pytest.mark.usefixtures("quick")
def test_a_wrong_result_of_fastmlp_is_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "PEERS", (Peer(OURS, wrong_labels),))
    assert main(["bench"]) == 1
    assert "wrong result" in capsys.readouterr().err


# JAX runs only in the command: its threads would make every later fork of this process warn.
@pytest.mark.parametrize("peer", [p for p in PEERS if p.name != "jax"], ids=lambda p: p.name)
@pytest.mark.parametrize("kind", ["train", "predict"])
def test_peers_agree(peer: Peer, kind: str) -> None:
    if peer.missing():
        pytest.skip(f"needs {', '.join(peer.missing())}")
    problem = bench._problem(batch=5, widths=(4, 6, 3))
    sides = peer.make(*problem)
    if kind in sides.calls:
        expected = bench._expected(kind, *problem)
        bench._check(kind, bench._result(kind, sides), expected, problem[0])


def test_libraries_take_turns_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[object] = []
    monkeypatch.setattr("time.sleep", events.append)
    bench._times({name: (lambda name=name: events.append(name)) for name in "abc"}, 1e-9)
    turns = [events[i + 1] for i, event in enumerate(events) if isinstance(event, float)]
    assert turns == [*"abc", *"bca", *"cab"]
    changes = sum(a != b for a, b in pairwise(events))
    assert changes == 2 * len(turns) - 1, "somebody began without a pause"
    assert min(event for event in events if isinstance(event, float)) >= 0.02


def test_numpy_gets_as_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "PAUSE", 0.0)
    seen: set[int] = set()

    def look() -> None:
        pools = threadpoolctl.threadpool_info()
        seen.update(pool["num_threads"] for pool in pools if pool["user_api"] == "blas")

    with fm.threads(1):
        bench._times({"numpy": look}, 1e-9)
    assert seen <= {1}
