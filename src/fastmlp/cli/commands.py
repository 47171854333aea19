"""The commands, their options, and how failures become one line and an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from fastmlp.cli import INSTALL_HINT
from fastmlp.cli.info import describe_build, describe_model
from fastmlp.cli.tables import error_line, print_table
from fastmlp.errors import FastMLPError

DATA_SETS = ("digits", "wine", "breast_cancer", "iris", "diabetes")
EXTRA_PACKAGES = ("rich", "tqdm", "matplotlib", "sklearn", "threadpoolctl")
DEBUG = "fastmlp.debug"


class MissingPackage(click.ClickException):
    """A package of the extra `cli` is not installed."""

    exit_code = 2


class OneLineErrors(click.Group):
    """A group whose commands' exceptions become one line, unless --debug asks for a traceback."""

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
    if isinstance(error, (FastMLPError, OSError, MemoryError)):
        return click.ClickException(error_line(error))
    message = f"{type(error).__name__}: {error_line(error)} (--debug shows where)"
    return click.ClickException(message)


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
    """Tell what runs here (version, instruction set, threads), or what the file MODEL holds."""
    print_table(*(describe_build() if model is None else describe_model(str(model))))


@cli.command(context_settings={"show_default": True})
@click.argument("data", type=click.Choice(DATA_SETS))
@click.option(
    "--hidden",
    metavar="WIDTHS",
    callback=_parse_widths,
    default="256,128",
    help="Widths of the hidden layers; '' for a linear model.",
)
@click.option("--activation", default="relu", help="Activation of the hidden layers.")
@click.option(
    "--dropout",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.3,
    help="Share of hidden units to drop in each training step.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=100,
    help="Most epochs; training stops earlier once the validation loss no longer falls.",
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=32, help="Rows per training step."
)
@click.option(
    "--lr",
    type=click.FloatRange(min=0, min_open=True),
    default=1e-3,
    help="Learning rate of Adam.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    help="Seed of the split, the weights, the batches and the dropout.",
)
@click.option(
    "--dtype", type=click.Choice(["float32", "float64"]), default="float32", help="Precision."
)
@click.option(
    "--threads", type=click.IntRange(min=1), help="Threads to use.  [default: all there are]"
)
@click.option(
    "--progress/--no-progress", default=True, help="Show a progress bar and a line per epoch."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Model file to write; the picture goes beside it.  [default: DATA.safetensors]",
)
@debug_option
def train(**options: Any) -> None:
    """Train a network on a data set that ships with scikit-learn, and test it.

    The rows are split 70/15/15 into training, validation and test. Writes the model and a picture:
    the loss curves beside the confusion matrix (or, for the regression diabetes, beside the
    predictions against the true values).
    """
    # Imported here because scikit-learn and Matplotlib take a second, which --help should not.
    from fastmlp.cli.train import Settings
    from fastmlp.cli.train import train as run_training

    run_training(Settings(**options))


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
    help="Threads of every library.  [default: all there are]",
)
@debug_option
def bench(seconds: float, threads: int | None) -> None:
    """Time training steps and predictions beside the libraries that are installed here.

    Results are compared before anything is timed; libraries that are wrong or missing are named.
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
        return _fail(f"{error_line(error)} See '{where} --help'.", error.exit_code)
    except click.ClickException as error:
        return _fail(error.message, error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted", err=True)
        return 130
    # Without standalone mode, click returns what --help and --version exit with.
    return code if isinstance(code, int) else 0


def _fail(message: str, exit_code: int) -> int:
    click.echo(f"Error: {message}", err=True)
    return exit_code
