"""Record the hashes of the golden runs again: ``python -m tests.golden.renew`` from the root.

The hashes are a promise: the same network, data and seed give the same bits in every release with
the same version of docs/numerics.md. So renew them only when results were meant to change:

1. raise the version in the title of docs/numerics.md, describe the new rule there, and give the
   reason in the changelog;
2. install the package, run this script, and read which runs have changed: a change of one kernel
   must not affect runs without it;
3. commit the record together with the change.

New runs are added without a new version.
"""

from __future__ import annotations

import json
import sys

from tests.golden import runs


def changes(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> list[str]:
    """Recorded runs whose hash has changed."""
    return [
        f"{part}: {key}"
        for part in after
        if part != "version"
        for key, value in after[part].items()
        if before.get(part, {}).get(key, value) != value
    ]


def main() -> int:
    after = runs.measured()
    before = runs.recorded() if runs.FILE.exists() else {}
    changed = changes(before, after)
    print("\n".join(changed) or "no run on record has changed")
    if changed and before["version"] == after["version"]:
        print("results changed: raise the version in docs/numerics.md first", file=sys.stderr)
        return 1
    runs.FILE.write_text(json.dumps(after, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
