"""fastmlp and other libraries on real tables, each with its default settings. See bench/README.md.

`python -m bench.tables DIR` runs it; DIR has the tables and a manifest.json that describes them.
"""
