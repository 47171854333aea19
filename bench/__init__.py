"""Benchmarks of fastmlp and other libraries, side by side. See README.md in this folder."""
