"""The processor's name, and a name of it for files."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from pathlib import Path

# Words of a name that say nothing: marks, the number of cores, the clock.
_NOISE = re.compile(r"\((?:r|tm|c)\)|\bcpu\b|\bprocessor\b|\b\d+-core\b|@.*$", re.IGNORECASE)


def processor_facts() -> dict[str, str]:
    """The first processor of /proc/cpuinfo, a line of it each; empty where there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def processor_name(facts: Mapping[str, str] | None = None) -> str:
    """Such as ``AMD EPYC (Zen 4)``. Virtual machines often hide the model, but not the core."""
    facts = processor_facts() if facts is None else facts
    name = facts.get("model name") or platform.processor() or platform.machine()
    name = " ".join(_NOISE.sub(" ", name).split())
    try:
        family, model = int(facts["cpu family"]), int(facts["model"])
    except (KeyError, ValueError):
        return name
    if core := _amd_core(family, model) if facts.get("vendor_id") == "AuthenticAMD" else "":
        return f"{name} ({core})"
    return name if re.search(r"\d", name) else f"{name} (family {family} model {model})"


def _amd_core(family: int, model: int) -> str:
    if family == 26:
        return "Zen 5"
    if family == 25:
        zen_4 = (*range(0x10, 0x20), *range(0x60, 0x80), *range(0xA0, 0xB0))
        return "Zen 4" if model in zen_4 else "Zen 3"
    if family == 23:
        return "Zen 2" if model >= 0x30 else "Zen"
    return ""


def file_name(processor: str) -> str:
    """The processor's name in lower case, with hyphens: ``amd-epyc-zen-4``."""
    return "-".join(re.findall(r"[a-z0-9]+", processor.lower()))
