# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The bridge to the C core: owns handles, releases the GIL, turns statuses into exceptions.

The bridge takes no decisions: `fastmlp.base.validation` converts what users pass. Predictor and
Stepper recognise what is commonly passed, convert it to the same numbers, and leave everything else
to the validation (docs/decisions/ready-arrays.md). Users keep their arrays and may change them
after that check. So Net and Trainer check type and shape of each array again just before C reads
it, and C checks each label.

Lists are built with `append`, not with comprehensions: if a list cannot grow because memory is
short, the comprehension of Cython 3.3 releases the item twice, and the process crashes.
"""
import os
from _thread import get_ident  # threading takes 0.7 ms to import
from time import monotonic

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.ref cimport Py_INCREF

import numpy as np

from fastmlp.base.errors import ArgumentError, NotFiniteError, OutOfMemoryError, StateError

cnp.import_array()

cdef extern from *:
    """
    #ifndef FM_COMPILER
    #define FM_COMPILER "unknown"
    #endif
    """
    const char *FM_COMPILER

include "c_api.pxi"
include "c_base.pxi"
include "arrays.pxi"
include "rows.pxi"
include "registry.pxi"
include "process.pxi"
include "custom.pxi"
include "sparse.pxi"
include "nodes.pxi"
include "net.pxi"
include "vjp.pxi"
include "average.pxi"
include "ranks.pxi"
include "losses.pxi"
include "trainer_parts.pxi"
include "trainer.pxi"
include "fast_paths.pxi"
include "targets.pxi"
include "stepper.pxi"
include "policy.pxi"

if os.environ.get("FASTMLP_ISA"):
    use_isa(os.environ["FASTMLP_ISA"], "FASTMLP_ISA")
