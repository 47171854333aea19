"""Scripts that prove docs/contract.md, one module an item.

``python -m contract --all`` runs them whole, for hours, and writes ``results.md``; a quick
share of each is a test of the suite (tests/project/test_contract.py).

An item is a module with ``TITLE`` and ``run(scale) -> list[Figure]``, named in ``items.py``.
"""
