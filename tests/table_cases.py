"""Tables as people have them, after public bug reports: what each file holds, and what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from fastmlp.tabular import ReadOptions

ROWS = 200
rng = np.random.default_rng(0)
SIZE = rng.normal(10, 3, ROWS).round(2)
TEMP = rng.normal(0, 1.5, ROWS).round(2)
PRICE = (3 * SIZE + TEMP).round(2)
KIND = np.where(PRICE > 30, "hi", "lo")
DAYS = np.datetime64("2015-01-01") + rng.integers(0, 3000, ROWS)
AGE = np.where(np.datetime64("2019-01-01") < DAYS, "new", "old")
EVERY_EIGHTH = np.arange(ROWS) % 8 == 0
NUMERIC = {"size": "numeric", "temp": "numeric"}


def lines(*columns: Sequence[Any], head: str = "size,temp,kind", sep: str = ",") -> str:
    """A text file of columns."""
    rows = [sep.join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join([head, *rows, ""])


def plain(**changed: Sequence[Any]) -> str:
    """The usual table, with other values in some columns."""
    return lines(*({"size": SIZE, "temp": TEMP, "kind": KIND} | changed).values())


def comma(values: Any) -> list[str]:
    return [f"{value:.2f}".replace(".", ",") for value in values]


def quoted(values: Any) -> list[str]:
    return [f'"{value}"' for value in values]


def grouped(values: Any, mark: str) -> list[str]:
    return [f"{value:,.0f}".replace(",", mark) for value in values]


def dated(form: str | Callable[[Any], str], **more: Sequence[Any]) -> str:
    """A table whose class is told by a date, written by a format of strftime or a function."""
    write = form if callable(form) else lambda day: f'"{day.strftime(form)}"'
    texts = [write(day) for day in DAYS.tolist()]
    return lines(texts, TEMP, AGE, head="when,temp,kind")


def some(text: str, values: Any = SIZE) -> list[Any]:
    """Every eighth value is another text."""
    return [text if odd else value for odd, value in zip(EVERY_EIGHTH, values, strict=True)]


@dataclass
class Case:
    """A file, and what must become of it."""

    content: str | bytes
    kinds: Mapping[str, str] = field(default_factory=lambda: NUMERIC)
    left_out: Mapping[str, str] = field(default_factory=dict)
    says: Sequence[str] = ()  # in the notes, reasons and warnings
    classes: Sequence[str] | None = None  # None: as usual; empty: a regression
    first: Mapping[str, float] = field(default_factory=dict)  # value of a column in the first row
    score: float = 0.9
    suffix: str = ".csv"
    options: ReadOptions = field(default_factory=ReadOptions)


DATE = {"when": "date", "temp": "numeric"}
NO_LEARNING = -np.inf
BIG = 1234567890123456789
ZIPS = rng.choice(["00501", "60601", "02139", "94105"], ROWS)
OPEN = ["9999-12-31" if a == "new" and e else str(d) for d, a, e in
        zip(DAYS, AGE, EVERY_EIGHTH, strict=True)]  # fmt: skip

CASES = {
    # numbers
    "decimal commas": Case(
        lines(comma(SIZE), comma(TEMP), comma(PRICE), head="size;temp;price", sep=";"),
        classes=[], says=["decimal commas"], first={"size": SIZE[0]}),
    "decimal commas beside classes": Case(
        lines(comma(SIZE), comma(TEMP), KIND, head="size;temp;kind", sep=";"),
        first={"size": SIZE[0], "temp": TEMP[0]}),
    "three decimals with commas, told by another column": Case(
        lines([f"1{i % 7},{i % 900 + 100}" for i in range(ROWS)], comma(TEMP), KIND,
              head="size;temp;kind", sep=";"), first={"size": 10.1}, score=NO_LEARNING),
    "thousands": Case(
        plain(size=quoted(grouped(1000 * SIZE, ","))), says=["thousands", "`decimal` ','"],
        first={"size": round(1000 * SIZE[0])}),
    "thousands beside smaller numbers": Case(
        plain(size=quoted(grouped(90 * SIZE, ","))), first={"size": round(90 * SIZE[0])}),
    "decimals beside larger numbers": Case(
        plain(size=[f'"{v:.3f}"'.replace(".", ",") if v > 10 else "2024" for v in SIZE]),
        first={"size": SIZE[0] if SIZE[0] > 10 else 2024}, score=0.8),
    "thousands with points": Case(
        lines(grouped(1e6 * SIZE, "."), comma(TEMP), KIND, head="size;temp;kind", sep=";"),
        first={"size": round(1e6 * SIZE[0])}),
    "thousands with thin spaces": Case(
        plain(size=grouped(1000 * SIZE, "\u2009")), first={"size": round(1000 * SIZE[0])}),
    "currency": Case(plain(size=[f"€ {v}" for v in SIZE]), says=["the unit €"],
                     first={"size": SIZE[0]}),
    "per cent": Case(plain(size=[f"{v} %" for v in SIZE]), first={"size": SIZE[0]}),
    "units": Case(plain(size=[f"{v} km/h" for v in SIZE]), says=["the unit km/h"]),
    "negative numbers in brackets": Case(
        plain(temp=[f"({-v})" if v < 0 else v for v in TEMP]), first={"temp": TEMP[0]}),
    "minus of typographers": Case(
        plain(temp=[str(v).replace("-", "\u2212") for v in TEMP]), first={"temp": TEMP[0]}),
    **{f"{word} means missing": Case(plain(size=some(word)), says=[f"{word!r} means missing"],
                                     score=0.75)
       for word in (".", "-", "_", "n.d.", "#DIV/0!", "NIL", "unknown")},
    "other words in a few rows": Case(
        plain(size=[*SIZE[:-3], *["broken"] * 3]), says=["3 values are no numbers ('broken')"]),
    "a sentinel": Case(plain(size=some("-9999")), says=["-9999 in 25 rows is far"], score=0.75),
    "missing as told": Case(plain(size=some("11.11")), options=ReadOptions(missing=("11.11",)),
                            score=0.75),
    "values of another width": Case(plain(size=[f" {v} " for v in SIZE])),
    "infinite numbers": Case(plain(size=some("inf")), score=0.75),
    "a huge range": Case(lines(SIZE, TEMP, [f"{10 ** v:.3e}" for v in SIZE], head="x,z,price"),
                         {"x": "numeric", "z": "numeric"}, classes=[], score=NO_LEARNING),
    "one value or a dash": Case(
        lines(np.where(KIND == "hi", "1", "-"), TEMP, KIND), NUMERIC | {"size": "categorical"}),
    "zip codes or a dash": Case(lines(some("-", ZIPS), TEMP, np.where(ZIPS < "05", "east", "west")),
                                NUMERIC | {"size": "categorical"}, score=0.75),
    "one value or none": Case(
        lines(np.where(KIND == "hi", "1", ""), TEMP, KIND), NUMERIC | {"size": "categorical"}),
    # dates
    **{f"dates such as {DAYS[0].tolist().strftime(form)}": Case(dated(form), DATE)
       for form in ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y/%m/%d",
                    "%Y-%m", "%G-W%V", "%Y%m%d", "%Y-%m-%d 03:15 PM", "%Y-%m-%dT08:00:00+02:00",
                    "%b %d, %Y", "%d %B %Y", "%d-%b-%y", "%m/%Y", "%A, %d %B %Y")},
    "dates without zeros": Case(dated(lambda day: f"{day.year}-{day.month}-{day.day}"), DATE),
    "days before months in one month": Case(
        lines([f"{d}/01/2024" for d in np.arange(ROWS) % 30 + 1], TEMP,
              np.where(np.arange(ROWS) % 30 + 1 > 15, "late", "early"), head="when,temp,kind"),
        DATE, first={"when": 19723}),
    "dates without an end": Case(lines(OPEN, TEMP, AGE, head="when,temp,kind"), DATE,
                                 says=["'9999-12-31' in", "read as missing"]),
    "dates before all time": Case(
        lines(some("0001-01-01", DAYS), TEMP, AGE, head="when,temp,kind"), DATE, score=0.75),
    "dates whose order is told": Case(
        lines([f"{d}/{d % 12 + 1}/2024" for d in np.arange(ROWS) % 12 + 1], TEMP, KIND,
              head="when,temp,kind"), DATE, options=ReadOptions(kinds={"when": "date:dmy"}),
        first={"when": 19754}, score=NO_LEARNING),
    "dates whose order nothing tells": Case(
        lines([f"{d}/{d % 12 + 1}/2024" for d in np.arange(ROWS) % 12 + 1], TEMP, KIND,
              head="when,temp,kind"), DATE, says=["which no value proves"], score=NO_LEARNING),
    "times of the day": Case(
        lines([f"{i % 24:02d}:{i % 60:02d}" for i in range(ROWS)], TEMP,
              np.where(np.arange(ROWS) % 24 < 12, "am", "pm"), head="when,temp,kind"),
        DATE | {"when": "numeric"}, says=["times of the day, in hours"], first={"when": 0}),
    "codes, one of which could be a year": Case(
        lines(np.where(KIND == "hi", "A1", "9999"), TEMP, KIND), NUMERIC | {"size": "categorical"}),
    # levels and identifiers
    "zip codes": Case(lines(ZIPS, TEMP, np.where(ZIPS < "05", "east", "west")),
                      NUMERIC | {"size": "categorical"}, says=["leading zeros"]),
    "long identifiers": Case(lines(BIG + np.arange(ROWS), TEMP, PRICE, head="user,temp,price"),
                             {"temp": "numeric"}, {"user": "identifier"}, classes=[],
                             score=NO_LEARNING),
    **{f"{name} numbers rows": Case(
        lines(some("", 100 + np.arange(ROWS)) if name == "id" else 100 + np.arange(ROWS), SIZE,
              TEMP, KIND, head=f"{name},size,temp,kind") if name != "id" else
        lines(["", *range(1, ROWS)], SIZE, TEMP, KIND, head="id,size,temp,kind"),
        left_out={name or "Unnamed: 0": "identifier"})
       for name in ("", "id", "customerid", "customer_number", "PassengerId", "row", "code")},
    "hexadecimal identifiers": Case(
        lines([f"{v:032x}" for v in range(ROWS)], SIZE, TEMP, KIND, head="uuid,size,temp,kind"),
        left_out={"uuid": "identifier"}),
    "free text": Case(
        lines([f"guest {i} was happy with room {i * 7} and more" for i in range(ROWS)], SIZE, TEMP,
              KIND, head="note,size,temp,kind"), NUMERIC | {"note": "text"}),
    "identifiers that are repeated": Case(
        lines([i // 1.5 // 1 for i in range(ROWS)], SIZE, TEMP, KIND,
              head="customer_id,size,temp,kind").replace(".0,", ","),
        NUMERIC | {"customer_id": "numeric"}, says=["`drop` customer_id leaves it out"]),
    "numbers and many words": Case(
        lines([f"w{i % 9}" if i % 3 == 0 else i % 5 for i in range(ROWS)], TEMP, KIND),
        NUMERIC | {"size": "categorical"}, says=["look like numbers; `numeric` size reads them"],
        score=NO_LEARNING),
    "dates and many words": Case(
        lines([f"w{i % 9}" if i % 3 == 0 else f"2024-01-{i % 5 + 1}" for i in range(ROWS)], TEMP,
              KIND), NUMERIC | {"size": "categorical"},
        says=["look like dates (year-month-day); `date` size"], score=NO_LEARNING),
    "no constant column": Case(lines(["x"] * ROWS, SIZE, TEMP, KIND, head="note,size,temp,kind"),
                               left_out={"note": "constant"}),
    "kinds as told": Case(
        lines(np.arange(ROWS) % 5, TEMP, KIND), NUMERIC | {"size": "categorical"},
        options=ReadOptions(kinds={"size": "categorical"}), score=NO_LEARNING),
    # targets
    "prices with commas": Case(
        lines(SIZE, TEMP, quoted(grouped(5000 * PRICE, ",")), head="size,temp,price"), classes=[]),
    "a few large prices with commas": Case(
        lines(SIZE, TEMP, quoted(grouped(25 * PRICE, ",")), head="size,temp,price"), classes=[]),
    "a class called None": Case(plain(kind=np.where(KIND == "hi", "None", "NA")),
                                classes=["NA", "None"]),
    "labels with zeros": Case(plain(kind=np.where(KIND == "hi", "007", "042")),
                              classes=["007", "042"]),
    "labels true and false": Case(plain(kind=np.where(KIND == "hi", "true", "false")),
                                  classes=["false", "true"]),
    "labels of decimals": Case(plain(kind=np.where(KIND == "hi", "1.0", "2.0")),
                               classes=["1.0", "2.0"]),
    "large whole labels": Case(plain(kind=np.where(KIND == "hi", 2**53, 2**53 + 1)),
                               classes=[str(2**53), str(2**53 + 1)]),
    "labels in two cases": Case(plain(kind=some("HI", KIND)), classes=["HI", "hi", "lo"],
                                says=["differ in case only"], score=0.7),
    "prices and a word": Case(
        lines(SIZE, TEMP, some("withdrawn", PRICE), head="size,temp,price"), classes=[],
        says=["25 values are no numbers ('withdrawn')", "left out: 25"]),
    "infinite prices": Case(lines(SIZE, TEMP, some("inf", PRICE), head="size,temp,price"),
                            classes=[], says=["left out: 25"]),
    "counts": Case(lines(SIZE, TEMP, np.clip(PRICE // 5, 1, 10).astype(int),
                         head="size,temp,rooms"),
                   classes=[*map(str, range(1, 11))], score=NO_LEARNING),
    # dialects
    "trailing separators": Case(plain(kind=[f"{k}," for k in KIND])),
    "trailing separators in the header too": Case(
        lines(SIZE, TEMP, [f"{k},," for k in KIND], head="size,temp,kind,,")),
    "trailing separators in the header alone": Case(
        lines(SIZE, TEMP, KIND, head="size,temp,kind,,")),
    "trailing separators after row numbers": Case(
        lines(range(ROWS), SIZE, TEMP, [f"{k}," for k in KIND], head="row,size,temp,kind"),
        left_out={"row": "identifier"}),
    "a line that tells the separator": Case(
        "sep=;\n" + lines(SIZE, TEMP, KIND, head="size;temp;kind", sep=";")),
    "a comment": Case("# exported by tool\n" + plain()),
    "a preamble": Case("Report of 2024\n\nAll figures in EUR\n" + plain()),
    "skipped lines": Case("a,b,c\n1,2,3\n" + plain(), options=ReadOptions(skip_rows=2)),
    "names behind a sign of comments": Case("#" + plain()),
    "no names": Case(plain().split("\n", 1)[1], {"column1": "numeric", "column2": "numeric"},
                     says=["no names in the first line"]),
    "separators in quoted names": Case(
        lines(SIZE, TEMP, KIND, head='"Income (EUR, net, year)";"Age, years";kind', sep=";"),
        {"Income (EUR, net, year)": "numeric", "Age, years": "numeric"}),
    "line breaks in names": Case(lines(SIZE, TEMP, KIND, head='"size\n(m2)",temp,kind'),
                                 {"size\n(m2)": "numeric", "temp": "numeric"}),
    "line breaks in values": Case(
        lines(np.where(KIND == "hi", '"one\ntwo, ""three"""', "x"), TEMP, KIND),
        NUMERIC | {"size": "categorical"}),
    "quotes behind backslashes": Case(
        lines(np.where(KIND == "hi", r'"say \"hi\", now"', '"no"'), TEMP, KIND),
        NUMERIC | {"size": "categorical"}),
    "single quotes": Case(lines(np.where(KIND == "hi", "'a, b'", "'c, d'"), TEMP, KIND),
                          NUMERIC | {"size": "categorical"}),
    "a quote that is not closed": Case(
        lines(np.where(KIND == "hi", "5 inch", "6 inch"), TEMP, KIND)
        .replace("\n5 inch", '\n"5 inch', 1), says=["is not closed"],
        first={"size": 5 if KIND[0] == "hi" else 6}),
    "inches": Case(lines(np.where(KIND == "hi", 'a 5" pipe', "no"), TEMP, KIND),
                   NUMERIC | {"size": "categorical"}),
    "blanks as separators": Case(lines(SIZE, TEMP, KIND, head="size  temp kind", sep="   ")),
    "blanks around values": Case(lines(SIZE, TEMP, KIND, head=" size , temp ,kind ", sep=" , ")),
    "tabs in a .csv": Case(lines(SIZE, TEMP, KIND, head="size\ttemp\tkind", sep="\t")),
    "commas in a .tsv": Case(plain(), suffix=".tsv"),
    "bars in a .txt": Case(lines(SIZE, TEMP, KIND, head="size|temp|kind", sep="|"), suffix=".txt"),
    "a separator as told": Case(lines(SIZE, TEMP, KIND, head="size^temp^kind", sep="^"),
                                options=ReadOptions(sep="^"), suffix=".data"),
    "rows that repeat the names": Case(plain() + plain(), says=["repeat the names, left out: 1"]),
    "a row of totals": Case(plain() + "Total,,\n", says=["begins with 'Total'"]),
    "short rows": Case(plain() + "3.5\n4.5\n",
                       says=["filled as missing: 2", "without a target, left out: 2"]),
    "old line ends": Case(plain().replace("\n", "\r")),
    "characters of value 0": Case(plain().replace("\n", "\0\n", 3)),
    # encodings
    "a byte order mark": Case(plain().encode("utf-8-sig")),
    "UTF-16": Case(plain().replace("hi", "高").encode("utf-16"), classes=["lo", "高"]),
    "UTF-16 without a mark": Case(plain().encode("utf-16-le")),
    "cp1252": Case(plain().replace("size", "größe").replace("lo", "süß").encode("cp1252"),
                   {"größe": "numeric", "temp": "numeric"}, classes=["hi", "süß"],
                   says=["read as cp1252", "`encoding`"]),
    "an encoding as told": Case(
        plain().replace("lo", "süß").encode("cp437"), classes=["hi", "süß"],
        options=ReadOptions(encoding="cp437")),
    "accents in pieces": Case(plain().replace("size", "cafe\u0301"),
                              {"café": "numeric", "temp": "numeric"}),
    "letters of the world": Case(plain().replace("size", "数").replace("hi", "高"),
                                 {"数": "numeric", "temp": "numeric"}, classes=["lo", "高"]),
}  # fmt: skip
