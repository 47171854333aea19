/* Status codes of every call that can fail, and the two element types. */
#ifndef FM_BASE_STATUS_H
#define FM_BASE_STATUS_H

typedef enum {
    FM_OK = 0,
    FM_NO_MEMORY,    /* nothing was changed */
    FM_BAD_ARGUMENT, /* a bad argument that the Python layer should have rejected */
    FM_UNKNOWN_ISA,
    FM_UNSUPPORTED_ISA,
    FM_INTERRUPTED, /* the poll function stopped the call; the last finished step is kept */
    FM_IN_USE,      /* another thread uses the object */
    FM_LOST,        /* the thread that used the object does not exist in this forked process */
    FM_BAD_LABEL,   /* a label is not a class; the last finished step is kept */
    FM_BAD_INDEX,   /* an input is not a row number of the table; the last finished step is kept */
    FM_STALE,       /* what the call needs has been changed or used by another call since it was computed */
    FM_NOT_FINITE   /* the loss is NaN or infinite; the last finished step is kept */
} fm_status;

typedef enum { FM_F32 = 0, FM_F64 = 1 } fm_dtype;

/* Types of the operands of matrix products. */
typedef enum {
    FM_COMPUTE_STORAGE,  /* that of the arrays */
    FM_COMPUTE_BFLOAT16, /* rounded to bfloat16, for float32 arrays only; see docs/numerics.md */
    FM_COMPUTE_INT8,     /* whole numbers of 8 bits, for one operation of frozen networks */
    FM_COMPUTES
} fm_compute;

#endif
