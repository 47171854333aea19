/* Status codes of every fallible call, and the two element types. */
#ifndef FM_BASE_STATUS_H
#define FM_BASE_STATUS_H

typedef enum {
    FM_OK = 0,
    FM_NO_MEMORY,    /* nothing was changed */
    FM_BAD_ARGUMENT, /* the caller broke a rule that Python should have checked */
    FM_UNKNOWN_ISA,
    FM_UNSUPPORTED_ISA,
    FM_INTERRUPTED, /* stopped by the poll function; the last finished step stands */
    FM_IN_USE,      /* by another thread */
    FM_LOST,        /* its user stayed behind when the process was forked */
    FM_BAD_LABEL,   /* a label that is no class; the last finished step stands */
    FM_BAD_INDEX    /* an input that is no row of a table; the last finished step stands */
} fm_status;

typedef enum { FM_F32 = 0, FM_F64 = 1 } fm_dtype;

#endif
