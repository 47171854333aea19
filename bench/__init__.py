"""Benchmarks of fastmlp, side by side with what people use today. See README.md here."""
