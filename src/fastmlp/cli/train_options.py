"""The options of `fastmlp train`, and those of reading tables that `predict` shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from fastmlp.distributed.tuning.names import PRUNERS, SAMPLERS
from fastmlp.tabular.models import MODELS
from fastmlp.tabular.presets import AUTO, PRESETS
from fastmlp.tabular.scores import METRICS

F = TypeVar("F", bound=Callable[..., Any])


def parse_widths(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Parse comma-separated layer widths; the empty text means no hidden layer."""
    if value is None:
        return None
    words = [word.strip() for word in value.split(",")] if value.strip() else []
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        message = f"{value!r} is not a list of positive integers such as 256,128."
        raise click.BadParameter(message, ctx, param)
    return tuple(map(int, words))


def parse_class_weight(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Parse "balanced", or factors such as yes=5,no=1."""
    if value is None or value == "balanced":
        return value
    factors = {}
    for part in value.split(","):
        label, _, number = part.rpartition("=")
        try:
            factors[label.strip()] = float(number)
        except ValueError:
            message = f"{value!r} is neither balanced nor factors such as yes=5,no=1."
            raise click.BadParameter(message, ctx, param) from None
    return factors


def parse_threshold(ctx: click.Context, param: click.Parameter, value: str) -> Any:
    """Parse "auto" or a probability."""
    if value == AUTO:
        return value
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        message = f"{value!r} is neither auto nor a number from 0 to 1."
        raise click.BadParameter(message, ctx, param)
    return number


DATA = [
    click.option(
        "--target",
        metavar="COLUMN",
        help="Column to predict.  [default: the one called target, label, class or y]",
    ),
    click.option(
        "--task",
        type=click.Choice(["classification", "regression"]),
        help="[default: classification for text, truth values and few different whole numbers]",
    ),
    click.option(
        "--test",
        metavar="FILE",
        help="Test on the rows of FILE, and train on all of DATA.  [default: 15 % of DATA]",
    ),
    click.option(
        "--cv",
        type=click.IntRange(min=2),
        metavar="K",
        help="Test by K-fold cross-validation, then train on all rows.",
    ),
]
TRAINING = [
    click.option(
        "--model",
        type=click.Choice([AUTO, *MODELS]),
        default=AUTO,
        help="Kind of network; auto is the preset's choice.",
    ),
    click.option(
        "--preset",
        type=click.Choice(list(PRESETS)),
        default="balanced",
        help="How much time to spend.",
    ),
    click.option(
        "--n-members",
        type=click.IntRange(min=1),
        help="Networks of each kind, trained side by side and averaged.  [default: the preset's]",
    ),
    click.option(
        "--time-budget",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Time that a training may take.",
    ),
    click.option(
        "--metric",
        type=click.Choice(list(METRICS)),
        help="What stops the training and ranks networks.  [default: log_loss, or rmse]",
    ),
    click.option(
        "--class-weight",
        metavar="WEIGHTS",
        callback=parse_class_weight,
        help="balanced, or factors of the classes such as yes=5,no=1.",
    ),
    click.option(
        "--threshold",
        metavar="NUMBER",
        default=AUTO,
        callback=parse_threshold,
        help="Of two classes, predict the second above this probability; auto chooses it for the "
        "metrics f1 and balanced_accuracy.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**32 - 1),
        default=0,
        help="Seed of the splits, the weights, the batches and the dropout.",
    ),
    click.option(
        "--threads", type=click.IntRange(min=1), help="Number of threads.  [default: all]"
    ),
    click.option(
        "--memory",
        metavar="SIZE",
        help="Memory that the training may take, such as 2GB; files that need more are read in "
        "pieces.  [default: half of the machine's]",
    ),
    click.option(
        "--compute",
        type=click.Choice(["bfloat16"]),
        help="Round the operands of matrix products to bfloat16; only with float32.",
    ),
]
NETWORK = [
    click.option(
        "--hidden",
        metavar="WIDTHS",
        callback=parse_widths,
        help="Widths of the hidden layers, such as 256,128; '' for a linear model.",
    ),
    click.option("--activation", help="Activation of the hidden layers, of the model mlp."),
    click.option(
        "--dropout",
        type=click.FloatRange(0, 1, max_open=True),
        help="Share of hidden units to drop in each training step.",
    ),
    click.option("--epochs", type=click.IntRange(min=1), help="Largest number of epochs."),
    click.option("--batch-size", type=click.IntRange(min=1), help="Rows per training step."),
    click.option(
        "--lr", type=click.FloatRange(min=0, min_open=True), help="Largest learning rate of Adam."
    ),
    click.option("--dtype", type=click.Choice(["float32", "float64"]), help="Precision."),
]
OUTPUT = [
    click.option(
        "--output",
        type=click.Path(path_type=Path),
        help="Model file to write.  [default: DATA.safetensors]",
    ),
    click.option(
        "--force", is_flag=True, help="Replace a file that holds a model of other data or targets."
    ),
    click.option(
        "--report",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Write a page (HTML) with scores, pictures, and how each column was read.",
    ),
    click.option(
        "--picture",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Write a picture (PNG) of the losses and of the predictions for the test rows.",
    ),
    click.option("--json", is_flag=True, help="Print the results as JSON."),
    click.option("--verbose", is_flag=True, help="Tell how each column is read and why."),
    click.option(
        "--progress/--no-progress", default=True, help="Show a line of progress on a terminal."
    ),
    click.option(
        "--checkpoint",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Save the training to FILE after each epoch, and resume from FILE if it exists. With "
        "the same data and options, the resumed training gives the same model. More networks and "
        "folds have files of their own: FILE.member2, ..., FILE.fold1, ...",
    ),
]
TUNING = [
    click.option(
        "--trials",
        type=click.IntRange(min=1),
        default=100,
        help="Number of trials, with those that the storage has already.",
    ),
    click.option(
        "--storage",
        metavar="PLACE",
        help="Keep the trials in PLACE, a file .db, .sqlite or .journal, or the URL of a database. "
        "The command goes on with them, also after it was killed; several processes or machines "
        "with the same PLACE search together.  [default: memory]",
    ),
    click.option(
        "--study",
        metavar="NAME",
        help="Name of the search in the storage.  [default: that of the table and its target]",
    ),
    click.option(
        "--sampler", type=click.Choice(SAMPLERS), default="tpe", help="What chooses new trials."
    ),
    click.option(
        "--pruner",
        type=click.Choice(PRUNERS),
        default="median",
        help="What gives up trials that are worse than others were by then.",
    ),
    click.option(
        "--at-once",
        type=click.IntRange(min=1),
        default=8,
        help="Trials that are chosen together and run side by side.",
    ),
]
# The hyperparameters of a model: fields of its class.
HYPERPARAMETERS = ("hidden", "activation", "dropout", "epochs", "batch_size", "lr", "dtype")


def names_of(options: Sequence[Any]) -> list[str]:
    """Return the names by which a command gets options."""
    made = with_options(options)(click.command()(lambda: None))
    return [str(one.name) for one in made.params]


def without(options: Sequence[Any], *names: str) -> list[Any]:
    """Return a group of options without some of them."""
    return [one for one in options if names_of([one])[0] not in names]


def with_options(*groups: Sequence[Any]) -> Callable[[F], F]:
    """Add groups of options to a command, in their order."""

    def decorate(command: F) -> F:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return decorate
