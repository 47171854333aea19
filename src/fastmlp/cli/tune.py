"""`fastmlp tune`: search for the best hyperparameters, tell what was found, write the model."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from typing import Any

from fastmlp.cli.overwriting import DATA_KEY, check_replacing, fingerprint_of
from fastmlp.cli.progress import TrainProgress
from fastmlp.cli.tables import column_lines, print_table
from fastmlp.cli.train import (
    DOTS_PER_INCH,
    PIPED,
    check_outputs,
    load_data,
    print_scores,
    values_of,
)
from fastmlp.cli.train_settings import TrainSettings
from fastmlp.distributed import TunedTable, tune
from fastmlp.io import write_atomically
from fastmlp.tabular import Table
from fastmlp.tabular.report.making import facts_of
from fastmlp.tabular.text import four_digits

SHOWN = 10  # trials that are printed


def run(settings: TrainSettings, search: dict[str, Any]) -> None:
    """Tune on a table, write the model file, and print trials and scores.

    Parameters
    ----------
    settings : TrainSettings
    search : dict
        Arguments of `tune` that `fastmlp train` does not have.
    """
    check_outputs(settings)
    table = load_data(settings)
    fingerprint = fingerprint_of(table, settings.data if settings.is_file else ())
    if not settings.force:
        check_replacing(settings.model_path, fingerprint)
    tuned = _tuned(table, settings, search)
    tuned.save(settings.model_path, {**tuned.model.metadata, DATA_KEY: fingerprint})
    report = tuned.trained.report()
    if settings.report is not None:
        report.save(settings.report)
    importance = tuned.importance()
    if settings.picture is not None:
        write_atomically(settings.picture, [_picture(tuned)])
    if settings.json:
        found = values_of(tuned.trained, report, settings)
        found["trials"], found["importance_of_parameters"] = tuned.trials, importance
        print(json.dumps(found, ensure_ascii=True, allow_nan=False))
    else:
        _print_results(tuned, importance, settings)


def _tuned(table: Table, settings: TrainSettings, search: dict[str, Any]) -> TunedTable:
    reporter = TrainProgress(not settings.json, settings.verbose, settings.progress)
    try:
        return tune(
            table, test=settings.test, n_threads=settings.threads, reporter=reporter,
            **settings.training, **search,
        )  # fmt: skip
    finally:
        reporter.clear()


def _picture(tuned: TunedTable) -> bytes:
    buffer = io.BytesIO()
    tuned.picture().savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return buffer.getvalue()


def _print_results(
    tuned: TunedTable, importance: dict[str, float], settings: TrainSettings
) -> None:
    trials = tuned.trials
    print("", *trial_lines(trials[:SHOWN], tuned.model.training["metric"]), sep="\n")
    if importance:
        print("\nimportance of the parameters of the best trial's kind of model")
        cells = [(name, [f"{share:.3f}"]) for name, share in importance.items()]
        print(*column_lines([""], cells, PIPED)[1:], sep="\n")
    print_scores(tuned.trained)
    print()
    complete = sum(trial["state"] == "complete" for trial in trials)
    rows = [
        *tuned.trained.summary.items(),
        ("trials", f"{complete} complete, {len(trials) - complete} given up"),
        *facts_of(tuned.model).items(),
        ("time", f"{tuned.trained.seconds:.1f} s"),
        ("model", str(settings.model_path)),
    ]
    rows += [("report", str(settings.report))] if settings.report else []
    rows += [("picture", str(settings.picture))] if settings.picture else []
    print_table(f"{tuned.trained.table.name}: {tuned.trained.task}", rows)


def trial_lines(trials: Sequence[dict[str, Any]], metric: str) -> list[str]:
    """Return the lines of a table of the best trials."""
    complete = [trial for trial in trials if trial["state"] == "complete"]
    hidden = ("number", "state", "value")
    names = list(dict.fromkeys(n for trial in complete for n in trial if n not in hidden))
    cells = [
        (f"trial {trial['number']}", [_cell(trial["value"]), *(_cell(trial.get(n)) for n in names)])
        for trial in complete
    ]
    width = shutil.get_terminal_size((PIPED, 24)).columns
    return column_lines([metric, *names], cells, width)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return four_digits(value) if isinstance(value, float) else str(value)
