"""What a search has found: the trained model, the trials, what matters, and a picture."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base.errors import MissingPackageError
from fastmlp.distributed.tuning import studies
from fastmlp.distributed.tuning.spaces import KIND, Space
from fastmlp.tabular.models import Model
from fastmlp.tabular.table_model import TableModel
from fastmlp.tabular.training import TrainedTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEWEST = 6  # complete trials of a kind from which importance is computed
_SEED = 0  # of the forest that importance is computed by


@dataclass(frozen=True)
class TunedTable:
    """A tuned model with its test scores and the trials of the search.

    Attributes
    ----------
    trained : TrainedTable
        The model, its test scores and the baseline's.
    study : optuna.study.Study
        All trials, for Optuna's own functions.
    space : Space
        What was searched.
    """

    trained: TrainedTable
    study: Any = field(repr=False)
    space: Space = field(repr=False)

    @property
    def model(self) -> TableModel:
        """The ensemble of the best trials."""
        return self.trained.model

    @property
    def scores(self) -> dict[str, float]:
        """Scores on the test rows, which the search has not seen."""
        return self.trained.scores

    @property
    def best_model(self) -> Model | None:
        """Hyperparameters of the best trial; None if none is complete."""
        complete = studies.complete_trials(self.study)
        return self.space.model_of(complete[0].params) if complete else None

    @property
    def trials(self) -> list[dict[str, Any]]:
        """The complete trials, the best first, then those that were given up.

        Each is a dict of number, state, value (the metric on held-out rows, the less the better;
        None if it is not complete), seconds of a network, and its parameters.
        """
        finished = studies.finished_trials(self.study)
        pruned = [trial for trial in finished if trial.state.name == "PRUNED"]
        return [_described(trial) for trial in (*studies.complete_trials(self.study), *pruned)]

    def importance(self) -> dict[str, float]:
        """Return the share of each parameter in the differences among complete trials.

        It is Optuna's (fANOVA: Hutter, Hoos and Leyton-Brown, 2014), among the trials of the kind
        of the best one, the largest first. It is empty if there are fewer than 6, or if all are
        equally good.

        Raises
        ------
        MissingPackageError
            scikit-learn is not installed.
        """
        complete = studies.complete_trials(self.study)
        kind = complete[0].params[KIND] if complete else ""
        if sum(trial.params[KIND] == kind for trial in complete) < FEWEST:
            return {}
        importance = studies.optuna().importance
        names = [f"{kind}.{name}" for name in self.space.parameters(kind)]
        try:
            with studies.quiet(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                evaluator = importance.FanovaImportanceEvaluator(seed=_SEED)
                found = importance.get_param_importances(
                    self.study, evaluator=evaluator, params=names
                )
        except ImportError as error:
            message = 'importance needs scikit-learn: pip install "fastmlp[tune]"'
            raise MissingPackageError(message, name="sklearn") from error
        except (RuntimeError, ValueError):  # all values are equal
            return {}
        return {name: float(share) for name, share in found.items()}

    def picture(self) -> Figure:
        """Draw the values of the trials, the best one so far, and the importance.

        Raises
        ------
        MissingPackageError
            Matplotlib or scikit-learn is not installed.
        """
        from fastmlp import plot

        figure = plot.figure(11.0, 4.4)
        left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
        complete = sorted(studies.complete_trials(self.study), key=lambda trial: trial.number)
        numbers = np.array([trial.number for trial in complete])
        values = np.array([trial.value for trial in complete])
        for kind, colour in zip(
            self.space.kinds, (plot.BLUE, plot.ORANGE, plot.GREY), strict=False
        ):
            of_kind = np.array([trial.params[KIND] == kind for trial in complete], dtype=bool)
            left.scatter(numbers[of_kind], values[of_kind], color=colour, s=16, label=kind)
        if len(values):
            best = np.minimum.accumulate(values)
            left.step(numbers, best, where="post", color=plot.GREY, label="best so far")
            left.legend()
        left.set_xlabel("trial")
        left.set_ylabel(f"{self.model.training['metric']} on held-out rows, the less the better")
        shares = dict(reversed(self.importance().items()))
        right.barh(list(shares), list(shares.values()), color=plot.BLUE)
        right.set_xlabel("importance" if shares else "importance: too few complete trials")
        figure.suptitle(f"{self.trained.table.name}: {len(self.trials)} trials")
        return figure

    def save(self, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
        """Write the model to one file, atomically; `fastmlp.tabular.load` reads it."""
        self.model.save(path, metadata)


def _described(trial: Any) -> dict[str, Any]:
    is_complete = trial.state.name == "COMPLETE"
    kind = trial.params[KIND]
    values = {name.removeprefix(f"{kind}."): v for name, v in trial.params.items()}
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": float(trial.value) if is_complete else None,
        "seconds": trial.user_attrs.get("seconds"),
        **values,
    }
