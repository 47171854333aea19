"""The commands, their options, and how failures become one line and an exit code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from fastmlp.base.errors import FastMLPError, MissingPackageError
from fastmlp.cli import INSTALL_HINT
from fastmlp.cli.info import describe_build, describe_model
from fastmlp.cli.reading_options import reading_options
from fastmlp.cli.tables import error_line, print_table
from fastmlp.cli.train_settings import Settings
from fastmlp.tabular.datasets import DATA_SETS
from fastmlp.tabular.models.old_mlp import DROPOUT, LARGEST_BATCH, MLP, ROWS_OF_A_CYCLE
from fastmlp.tabular.reading import FORMATS, ReadOptions, TableError, is_table

EXTRA_PACKAGES = ("rich", "tqdm", "matplotlib", "pandas", "sklearn", "threadpoolctl")
DEBUG = "fastmlp.debug"
DEFAULTS = MLP()
SMALL, LARGE = DEFAULTS.plan(1, 2), DEFAULTS.plan(ROWS_OF_A_CYCLE, 2)


class MissingPackage(click.ClickException):
    """A package of the extra `cli` is not installed."""

    exit_code = 2


class OneLineErrors(click.Group):
    """A group of commands that shows an exception as one line; with --debug, as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.meta.get(DEBUG):
                raise
            raise _as_click_error(error) from error


def _as_click_error(error: Exception) -> click.ClickException:
    package = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if package in EXTRA_PACKAGES:
        return MissingPackage(f"this command needs {package}: {INSTALL_HINT}")
    if isinstance(error, MissingPackageError):
        return MissingPackage(error_line(error))
    if isinstance(error, TableError):
        return click.ClickException(_with_options(error_line(error)))
    if isinstance(error, (FastMLPError, OSError, MemoryError)):
        return click.ClickException(error_line(error))
    message = f"{type(error).__name__}: {error_line(error)} (--debug shows where)"
    return click.ClickException(message)


def _with_options(message: str) -> str:
    """Put options in the place of Python arguments.

    Examples
    --------
    >>> _with_options("try a smaller `lr`")
    'try a smaller --lr'
    """
    return re.sub(r"`(\w+)`", lambda found: "--" + found[1].replace("_", "-"), message)


def _check_tables(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse a file whose name is not that of a table."""
    for name in value:
        if not is_table(name):
            message = f"{name!r} is not a table: its name must end in {FORMATS}."
            raise click.BadParameter(message, ctx, param)
    return value


def _check_data(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse a name that is neither a table's nor that of a data set of scikit-learn."""
    if len(value) == 1 and value[0] in DATA_SETS:
        return value
    for name in value:
        if not is_table(name):
            known = ", ".join(DATA_SETS)
            message = f"{name!r} is neither a data set ({known}) nor a file {FORMATS}."
            raise click.BadParameter(message, ctx, param)
    return value


def _parse_widths(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    """Parse comma-separated layer widths; the empty text means no hidden layer."""
    words = [word.strip() for word in value.split(",")] if value.strip() else []
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        message = f"{value!r} is not a list of positive integers such as 256,128."
        raise click.BadParameter(message, ctx, param)
    return tuple(map(int, words))


def _remember_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[DEBUG] = value or ctx.meta.get(DEBUG, False)


debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_remember_debug,
    help="Show the traceback of an error.",
)


@click.group(cls=OneLineErrors, invoke_without_command=True)
@click.version_option(package_name="fastmlp")
@debug_option
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Multi-layer perceptrons on CPUs."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@cli.command()
@click.argument("model", required=False, type=click.Path(path_type=Path))
@debug_option
def info(model: Path | None) -> None:
    """Show what runs here (version, instruction set, threads), or what the file MODEL holds."""
    print_table(*(describe_build() if model is None else describe_model(str(model))))


@cli.command(context_settings={"show_default": True})
@click.argument("data", nargs=-1, required=True, callback=_check_data)
@click.option(
    "--target",
    metavar="COLUMN",
    help="Column of the file to predict.  [default: the one called target, label, class or y]",
)
@click.option(
    "--task",
    type=click.Choice(["classification", "regression"]),
    help="[default: classification for text, truth values and few different whole numbers]",
)
@click.option(
    "--cv",
    type=click.IntRange(min=2),
    metavar="K",
    help="Test by K-fold cross-validation, then train on all rows.",
)
@click.option(
    "--hidden",
    metavar="WIDTHS",
    callback=_parse_widths,
    default=",".join(map(str, DEFAULTS.hidden)),
    help="Widths of the hidden layers; '' for a linear model.",
)
@click.option("--activation", default=DEFAULTS.activation, help="Activation of the hidden layers.")
@click.option(
    "--dropout",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of hidden units to drop in each training step.  "
    f"[default: {DROPOUT['classification']}; {DROPOUT['regression']} for a regression]",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help=f"Largest number of epochs; training stops when validation no longer improves.  "
    f"[default: {SMALL.epochs}; {LARGE.epochs} for {ROWS_OF_A_CYCLE:,} rows or more]",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    help=f"Rows per training step.  [default: {SMALL.batch_size}; {LARGE.batch_size} to "
    f"{LARGEST_BATCH} for {ROWS_OF_A_CYCLE:,} rows or more]",
)
@click.option(
    "--lr",
    type=click.FloatRange(min=0, min_open=True),
    help=f"Learning rate of Adam.  [default: {SMALL.lr}; for {ROWS_OF_A_CYCLE:,} rows or more a "
    f"cycle up to {LARGE.lr} and down to 0]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    help="Seed of the split, the weights, the batches and the dropout.",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    default=DEFAULTS.dtype,
    help="Precision.",
)
@click.option(
    "--compute",
    type=click.Choice(["bfloat16"]),
    help="Round the operands of matrix products to bfloat16; only with float32.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Number of threads.  [default: all]")
@click.option(
    "--progress/--no-progress", default=True, help="Show a progress bar and a line per epoch."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Model file to write; the picture goes beside it.  [default: DATA.safetensors]",
)
@click.option(
    "--checkpoint",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Save the training to FILE after each epoch, and resume from FILE if it exists. With the "
    "same data and options, the resumed training gives the same model. With --cv, FILE holds the "
    "training on all rows, and FILE.fold1, FILE.fold2, ... hold the folds.",
)
@reading_options(columns=True)
@debug_option
def train(**options: Any) -> None:
    """Train a network on the table DATA, and test it.

    DATA is a .csv, .tsv, .txt, .data (also .gz or .zip) or .parquet file, a folder of Parquet
    files, or - for standard input; several files are put one below the other. Or it is one of the
    data sets that ship with scikit-learn: digits, wine, breast_cancer, iris, diabetes.

    Numbers are standardised; missing numbers become the median. Text becomes one input for each
    frequent level, one for missing text, and one for all rare or new levels. Constant, empty and
    identifier columns are dropped and listed.

    The rows are split 70/15/15 into training, validation and test rows, or by --cv. The command
    writes the model and a picture of the loss curves and the confusion matrix (for a regression,
    the predictions against the true values).

    \b
    Examples:
      fastmlp train digits
      fastmlp train houses.csv --target price --hidden 512,256 --output houses.safetensors
      fastmlp predict houses.safetensors new.csv --out prices.csv
    """
    _check_train_options(options)
    # Imported here, as the other commands do not need it.
    from fastmlp.cli.train import train as run_training

    run_training(Settings.from_options(options, is_file=options["data"][0] not in DATA_SETS))


def _check_train_options(options: dict[str, Any]) -> None:
    name = options["data"][0]
    if name in DATA_SETS and (options["target"] is not None or options["task"]):
        raise click.UsageError(f"{name} has a target and a task of its own.")
    if name in DATA_SETS and options["reading"] != ReadOptions():
        raise click.UsageError(f"{name} is no file, which the options on reading are for.")
    if options["compute"] is not None and options["dtype"] != "float32":
        raise click.UsageError("--compute bfloat16 needs --dtype float32.")


@cli.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", nargs=-1, required=True, callback=_check_tables)
@click.option(
    "--out",
    type=click.Path(path_type=Path, allow_dash=True),
    default=Path("-"),
    help="CSV file to write.  [default: standard output]",
)
@reading_options(columns=False)
@debug_option
def predict(model: Path, data: tuple[str, ...], out: Path, reading: ReadOptions) -> None:
    """Predict the rows of the table DATA with the file MODEL that `fastmlp train` wrote.

    DATA is one file or several, as for `fastmlp train`. It must have the columns of the training,
    in any order; other columns are ignored.

    The command writes CSV, one line for each row: the columns of --keep, the column prediction
    and, for classes, a column probability_NAME for each class.
    """
    # Imported here, as the other commands do not need it.
    from fastmlp.cli.predict import predict as run_prediction

    run_prediction(model, data, out, reading)


@cli.command(context_settings={"show_default": True})
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=0.3,
    help="Time for each library and each line of the table.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Number of threads of each library.  [default: all]",
)
@debug_option
def bench(seconds: float, threads: int | None) -> None:
    """Compare the speed of training steps and predictions with other installed libraries.

    A library is timed only if its results are right. Wrong and missing libraries are listed.
    """
    # Imported here because the libraries take seconds, which --help should not.
    from fastmlp.cli.bench import run as run_benchmark

    run_benchmark(seconds, threads)


def run(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` name and return the exit code."""
    try:
        code = cli.main(list(arguments), prog_name="fastmlp", standalone_mode=False)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "fastmlp"
        return _fail(
            f"{' '.join(error.format_message().split())} See '{where} --help'.", error.exit_code
        )
    except click.ClickException as error:
        return _fail(error.message, error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted", err=True)
        return 130
    # Without standalone mode, click returns the exit code of --help and --version.
    return code if isinstance(code, int) else 0


def _fail(message: str, exit_code: int) -> int:
    click.echo(f"Error: {message}", err=True)
    return exit_code
