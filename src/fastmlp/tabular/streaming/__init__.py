"""Tables larger than memory: read in pieces, encoded to a scratch file, trained from there.

A sample of the rows decides how columns are read. One pass over the files then learns the encoders,
and one more writes the encoded rows to a scratch file, from which networks are trained.
"""
