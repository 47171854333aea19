"""The names of samplers and pruners, for the command line too, which does not import the search."""

SAMPLERS = ("tpe", "random")
PRUNERS = ("median", "halving", "hyperband", "none")
