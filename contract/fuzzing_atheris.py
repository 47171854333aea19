"""A target of atheris: ``FUZZED=files python contract/fuzzing_atheris.py [options]``.

The target is files or descriptions. Options and folders are those of libFuzzer, which starts this
script again with its own options. It writes what it finds to the prefix in ``-artifact_prefix``.
PYTHONPATH must contain the root of the project.
"""

from __future__ import annotations

import os
import random
import resource
import shlex
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["fastmlp"]):
    import fastmlp.io  # noqa: F401

from contract import fuzzing_cases

MOST_ADDRESSES = 4 * 2**30  # a network that needs more memory must be refused at once


def main(arguments: list[str]) -> None:
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "fuzzed"
    target = fuzzing_cases.target()

    def try_file(data: bytes) -> None:
        fuzzing_cases.try_file(data, path, target)

    def try_description(data: bytes) -> None:
        fuzzing_cases.try_description(data.decode("utf-8", "surrogatepass"))

    def mutate_file(data: bytes, most: int, seed: int) -> bytes:
        return fuzzing_cases.mutated_file(bytes(data), random.Random(seed))[:most]

    def mutate_description(data: bytes, most: int, seed: int) -> bytes:
        text = bytes(data).decode("utf-8", "replace")
        changed = fuzzing_cases.mutated_description(text, random.Random(seed))
        return changed.encode("utf-8", "surrogatepass")[:most]

    run, mutate = {
        "files": (try_file, mutate_file),
        "descriptions": (_tolerant(try_description), mutate_description),
    }[os.environ["FUZZED"]]
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    # libFuzzer passes this command to the shell to start the script again.
    program = shlex.join([sys.executable, arguments[0]])
    atheris.Setup([program, *arguments[1:]], run, custom_mutator=mutate)
    atheris.Fuzz()


def _tolerant(run):  # type: ignore[no-untyped-def]
    """Bytes that are not text are skipped."""

    def only_text(data: bytes) -> None:
        try:
            data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return
        run(data)

    return only_text


if __name__ == "__main__":
    main(sys.argv)
