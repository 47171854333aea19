"""Scripts that prove the promises of docs/contract.md, one module for each item.

``python -m contract --all`` runs them in full, which takes hours, and writes ``results.md``. A
quick part of each is a test of the suite (tests/project/test_contract.py).
"""
