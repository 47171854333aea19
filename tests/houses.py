"""Shared by the tests of tables: a generated table, and the printed output."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pandas")

import pandas as pd

ROWS = 300
QUICK = ["--model", "mlp", "--n-members", "2", "--hidden", "16", "--epochs", "8", "--lr", "0.01"]


def houses(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Prices by size and city; some sizes and prices are missing."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(30, 200, rows)
    city = rng.choice(["Ghent", "Bruges", "Ypres"], rows, p=[0.6, 0.39, 0.01])
    price = 2000 * size + 50_000 * (city == "Bruges") + rng.normal(0, 5000, rows)
    frame = pd.DataFrame({"size": size, "city": city, "price": price.round(2)})
    frame["grade"] = np.where(price > 250_000, "dear", "cheap")
    frame["key"] = [f"house {i}" for i in range(rows)]
    frame["country"] = "Belgium"
    frame.loc[::17, "size"] = np.nan
    return frame


def write(name: str, frame: pd.DataFrame) -> str:
    separator = "\t" if ".tsv" in name else ","
    frame.to_csv(name, index=False, sep=separator)
    return name


def one_error_line(capsys: pytest.CaptureFixture[str]) -> str:
    err = capsys.readouterr().err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    return err
