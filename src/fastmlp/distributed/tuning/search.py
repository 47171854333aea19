"""The search: waves of trials side by side, then an ensemble of the best ones."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import fastmlp as fm
from fastmlp.base import validation
from fastmlp.distributed.tuning import studies
from fastmlp.distributed.tuning.spaces import KIND, Space
from fastmlp.distributed.tuning.trials import STEPS, Folds, Outcome, run_trial
from fastmlp.tabular.finishing import finished_model
from fastmlp.tabular.fitting import Data
from fastmlp.tabular.members import run_members, shares
from fastmlp.tabular.presets import Plan, plan_of
from fastmlp.tabular.reading import ReadOptions, TableError
from fastmlp.tabular.reporter import Reporter
from fastmlp.tabular.settings import Settings
from fastmlp.tabular.table_model import TableModel

FOLDS = 8
JUDGED_ROWS = 4000  # held-out rows that a trial is judged by at least, if there are so many
BEST, BEST_OF_KIND = 6, 1  # trials that the ensemble is chosen from
PRIOR_ROWS = 50  # their scores differ, so that equal weights are no good guess
KEPT = 16  # trials whose networks are kept, so that those of the ensemble need not be trained again
# Of the seconds that the ensemble's networks are expected to take, and of all seconds at least.
MARGIN, LEAST_SHARE, FIRST_SHARE = 1.3, 0.04, 0.3


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much is tried, and how; see `tune`."""

    trials: int = 100
    storage: Any = None
    study: str | None = None
    sampler: Any = "tpe"
    pruner: Any = "median"
    at_once: int = 8

    def __post_init__(self) -> None:
        validation.integer(self.trials, "trials", 1)
        validation.integer(self.at_once, "at_once", 1)
        studies.sampler_of(self.sampler, 0)
        studies.pruner_of(self.pruner)


class Search:
    """Tunes the networks of one table.

    Parameters
    ----------
    data : Data
        The read rows.
    name : str
        Of the study, if the budget has none.
    settings : Settings
    budget : Budget
    start : float
        Time of `time.monotonic` from which the time budget counts.
    """

    def __init__(
        self, data: Data, name: str, settings: Settings, budget: Budget, start: float,
        reporter: Reporter,
    ) -> None:  # fmt: skip
        self.data, self.settings, self.budget, self.reporter = data, settings, budget, reporter
        classes = data.target.classes
        members = settings.n_members or FOLDS
        dealt = shares(data.y, classes, members, FOLDS, settings.seed)
        if not len(dealt[0].held_out):
            raise TableError(f"{len(data.y)} rows are too few to tune by")
        self.folds = Folds(data, dealt, settings.seed)
        rows = len(dealt[0].train)
        starts = {type(m): m for m in reversed(plan_of(settings, rows, classes).models)}
        self.space = Space(tuple(reversed(starts.values())), classes, rows)
        self.judged = min(members, max(1, -(-JUDGED_ROWS // len(dealt[0].held_out))))
        self.threads = settings.n_threads or fm.get_num_threads()
        self.start, self.seconds = start, settings.time_budget
        self.kept: dict[int, Outcome] = {}
        self.study = studies.open_study(
            studies.storage_of(budget.storage), budget.study or name,
            studies.pruner_of(budget.pruner), self._facts(),
        )  # fmt: skip

    def run(self, title: str, options: ReadOptions) -> TableModel:
        """Search, and return the ensemble of the best trials."""
        # What is left of the wave that a kill has ended is a wave.
        count = studies.free_lost_trials(self.study) or self.budget.at_once
        if not self.study.get_trials(deepcopy=False):
            for parameters in self.space.first_trials():
                self.study.enqueue_trial(parameters, skip_if_exists=True)
        before, done = -1, len(studies.finished_trials(self.study))
        # A wave without a trial that could be trained to its end would be drawn again for ever.
        while before < done < self.budget.trials:
            end = self._end()
            if end is not None and time.monotonic() >= end:
                break
            self._wave(min(self.budget.trials - done, count), end)
            count = self.budget.at_once
            best = studies.complete_trials(self.study)
            before, done = done, len(studies.finished_trials(self.study))
            self.reporter.on_trials(
                title, done, self.budget.trials, best[0].value if best else None
            )
        return self.refit(options)

    def chosen(self) -> list[Any]:
        """Return the trials that the ensemble is chosen from, the best first."""
        complete = studies.complete_trials(self.study)
        found = complete[:BEST]
        for kind in self.space.kinds:
            of_kind = [trial for trial in complete if trial.params[KIND] == kind]
            found += [trial for trial in of_kind[:BEST_OF_KIND] if trial not in found]
        return found

    def refit(self, options: ReadOptions) -> TableModel:
        """Train the best models on all folds, and weigh them by the rows that they did not see.

        The best of them alone is one of the ensembles that the weights are chosen among. Without a
        complete trial, the models that the search starts from are trained.
        """
        trials = self.chosen()
        models = [self.space.model_of(t.params) for t in trials] or list(self.space.starts)
        known = [self.kept[t.number].members if t.number in self.kept else () for t in trials]
        known += [()] * (len(models) - len(known))
        every = [(fold, kind) for fold in range(len(self.folds)) for kind in range(len(models))]
        jobs = [self.folds.job(models[kind], kind, fold) for fold, kind in every]
        missing = [i for i, job in enumerate(jobs) if job.group >= len(known[job.kind])]

        def train(number: int, seconds: float | None, stop: Sequence[Any]) -> Any:
            return self.folds.train(jobs[missing[number]], seconds, stop, keep=False)

        deadline = None if self.seconds is None else self.start + self.seconds
        trained = run_members(len(missing), train, self.threads, deadline) if missing else []
        new = dict(zip(missing, trained, strict=True))
        results = [new[i] if i in new else known[job.kind][job.group]
                   for i, job in enumerate(jobs)]  # fmt: skip
        plan = Plan(tuple(models), len(self.folds), FOLDS, 0, PRIOR_ROWS)
        return finished_model(self.data, plan, jobs, results, self.settings, options)

    def _wave(self, count: int, end: float | None) -> None:
        """Run trials side by side. The study is told of them in their order, all together.

        So a wave depends on the waves before it, and not on which of its trials ends first.
        """
        done = len(studies.finished_trials(self.study))
        self.study.sampler = studies.sampler_of(self.budget.sampler, self.settings.seed + done)
        trials = [self.study.ask() for _ in range(count)]
        models = [self.space.suggest(trial) for trial in trials]
        worker = studies.this_worker()
        for trial in trials:
            trial.set_user_attr(studies.WORKER, worker)

        def run(number: int, _: float | None, stop: Sequence[Any]) -> Outcome:
            offset = STEPS * self.space.kinds.index(trials[number].params[KIND])
            return run_trial(
                trials[number], models[number], self.folds, self.judged, offset, end, stop
            )

        outcomes = run_members(count, run, self.threads)
        for trial, outcome in zip(trials, outcomes, strict=True):
            assert outcome is not None
            self._tell(trial, outcome)

    def _tell(self, trial: Any, outcome: Outcome) -> None:
        states = studies.optuna().trial.TrialState
        trial.set_user_attr("seconds", outcome.seconds)
        if outcome.reason:
            trial.set_user_attr("reason", outcome.reason)
        if outcome.state == "complete":
            self.study.tell(trial, outcome.value)
            self.kept[trial.number] = outcome
            best = sorted(self.kept, key=lambda number: (self.kept[number].value, number))
            of_kind = {t.number for t in self.chosen()}
            self.kept = {n: self.kept[n] for n in best if n in {*best[:KEPT], *of_kind}}
        elif outcome.state == "pruned" and not outcome.reason:
            self.study.tell(trial, state=states.PRUNED)
        else:
            self.study.tell(trial, state=states.FAIL)

    def _end(self) -> float | None:
        """Return when the search has to end, so that the ensemble can be trained in time."""
        if self.seconds is None:
            return None
        trials, share = self.chosen(), FIRST_SHARE
        needed = 0.0
        if trials:
            share = LEAST_SHARE
            for trial in trials:
                ready = len(self.kept[trial.number].members) if trial.number in self.kept else 0
                needed += trial.user_attrs["seconds"] * (len(self.folds) - ready)
        left = max(MARGIN * needed / self.threads, share * self.seconds)
        return self.start + self.seconds - min(left, 0.6 * self.seconds)

    def _facts(self) -> dict[str, Any]:
        """Return what all processes that work on a study must have in common."""
        data = self.data
        return {
            "target": data.target.name,
            "classes": data.target.classes,
            "rows": len(data.y),
            "checksum": _checksum(data),
            "metric": data.metric.label,
            "models": [repr(model) for model in self.space.starts],
            "folds": len(self.folds),
            "seed": self.settings.seed,
        }


def search_table(
    data: Data, name: str, settings: Settings, budget: Budget, options: ReadOptions,
    reporter: Reporter, title: str,
) -> tuple[TableModel, Search]:  # fmt: skip
    """Tune the networks of the read rows of a table; return their ensemble, and the search."""
    start = time.monotonic()
    with studies.quiet(), warnings.catch_warnings():
        # Of losses that are not finite, and of parts of Optuna that are called experimental.
        warnings.simplefilter("ignore")
        search = Search(data, name, settings, budget, start, reporter)
        model = search.run(title, options)
    facts = {**model.training, "tuned_trials": len(studies.finished_trials(search.study))}
    return replace(model, training=facts), search


def _checksum(data: Data) -> int:
    """Return a number that differs for other targets or other columns."""
    import zlib

    names = "\n".join(f"{rule.name}: {rule}" for rule in data.reader.rules)
    return zlib.crc32(data.y.tobytes(), zlib.crc32(names.encode()))
