"""The networks that a table can be trained with, one file each."""
