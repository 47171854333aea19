"""The commands, their options, and how failures become one line and an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from fastmlp.base.errors import FastMLPError, MissingPackageError
from fastmlp.cli import INSTALL_HINT
from fastmlp.cli.info import describe_build, describe_model
from fastmlp.cli.reading_options import reading_options
from fastmlp.cli.tables import error_line, print_table, spelled_as_options
from fastmlp.cli.train_options import (
    DATA,
    NETWORK,
    OUTPUT,
    TRAINING,
    TUNING,
    names_of,
    with_options,
    without,
)
from fastmlp.cli.train_settings import TrainSettings
from fastmlp.tabular.datasets import DATA_SETS
from fastmlp.tabular.reading import FORMATS, ReadOptions, TableError, is_table

EXTRA_PACKAGES = ("rich", "tqdm", "matplotlib", "pandas", "sklearn", "threadpoolctl")
DEBUG = "fastmlp.debug"


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
        return click.ClickException(spelled_as_options(error_line(error)))
    if isinstance(error, (FastMLPError, OSError, MemoryError)):
        return click.ClickException(error_line(error))
    message = f"{type(error).__name__}: {error_line(error)} (--debug shows where)"
    return click.ClickException(message)


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
@with_options(DATA, TRAINING)
@reading_options(columns=True)
@with_options(NETWORK, OUTPUT)
@debug_option
def train(**options: Any) -> None:
    """Train networks on the table DATA, and test them.

    DATA is a file CSV, TSV, .txt or .data (also .gz or .zip), Parquet, a folder of Parquet files,
    several files whose rows follow each other, or - for standard input; or one of the data sets
    that ship with scikit-learn: digits, wine, breast_cancer, iris, diabetes.

    Numbers, dates, levels and missing values are recognised; --verbose tells how each column is
    read. Constant, empty and identifier columns are dropped and listed.

    A part of the rows is held out as a test, or --test or --cv says how to test. The command
    prints scores beside a baseline and the importance of columns, and writes one model file. It
    does not replace a model of other data or another target without --force.

    \b
    Examples:
      fastmlp train digits
      fastmlp train houses.csv --target price --preset best --report houses.html
      fastmlp predict houses.safetensors new.csv --out prices.csv
    """
    is_file = _check_train_options(options)
    # Imported here, as the other commands do not need it.
    from fastmlp.cli.train import train as run_training

    run_training(TrainSettings.from_options(options, is_file))


@cli.command(context_settings={"show_default": True})
@click.argument("data", nargs=-1, required=True, callback=_check_data)
@with_options(without(DATA, "cv", "memory"), TUNING, TRAINING)
@reading_options(columns=True)
@with_options(without(OUTPUT, "checkpoint"))
@debug_option
def tune(**options: Any) -> None:
    """Search for the best hyperparameters of networks for the table DATA, and train with them.

    DATA is as for `fastmlp train`. The first trials are its defaults; trials that are worse than
    others were by then are given up. The best trials become one model: an average whose weights are
    chosen on rows that its networks have not seen. A part of the rows, or --test, takes no part in
    the search and tests the model.

    The command prints the best trials and the importance of the hyperparameters, and writes one
    model file, which `fastmlp predict` takes.

    \b
    Examples:
      fastmlp tune houses.csv --target price --trials 100 --time-budget 600
      fastmlp tune houses.csv --target price --storage houses.journal --picture trials.png
    """
    is_file = _check_train_options(options)
    search = {name: options.pop(name) for name in names_of(TUNING)}
    # Imported here, as the other commands do not need it.
    from fastmlp.cli.tune import run as run_search

    run_search(TrainSettings.from_options(options, is_file), search)


def _check_train_options(options: dict[str, Any]) -> bool:
    """Refuse options that do not go together; tell whether DATA is a file."""
    first = options["data"][0]
    if first not in DATA_SETS:
        return True
    for name in ("target", "task", "test"):
        if options[name] is not None:
            raise click.UsageError(
                f"{first} has rows, a target and a task of its own: no --{name}."
            )
    if options["reading"] != ReadOptions():
        raise click.UsageError(f"{first} is no file, which the options on reading are for.")
    return False


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
