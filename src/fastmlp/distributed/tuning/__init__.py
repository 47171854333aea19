"""Tuning of a table's networks with Optuna."""
