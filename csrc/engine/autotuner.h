/* Finds by trials how many threads steps of one size should take, and never lets several threads be much slower than
   one.

   The cost model of schedule.c does not know whether two processors share a cache or are on different dies. That
   decides whether a second thread makes a small network faster or slower. So the autotuner times neighbours on the
   ladder 1, 2, 4, 8, ..., most in turn and keeps the faster one. It repeats this less and less often, but never stops,
   because a virtual machine can move to other processors.

   Trials are too short for what other programs do. A thread whose processor another program has comes some
   milliseconds late, once in a hundred steps: the median of a step does not show it, the mean is four times as long.
   So the time that several threads gain over one is kept as a balance, up to some milliseconds. Steps that take longer
   than on one thread use it up. If it is gone, one thread works alone, for a time that makes the loss a small part of
   the whole. What one thread takes is measured in the meantime, stalls included. */
#ifndef FM_ENGINE_AUTOTUNER_H
#define FM_ENGINE_AUTOTUNER_H

#include <stdint.h>

typedef struct {
    int64_t rows;                  /* rows of a step, when it began to tune for steps of about this size */
    int choice;                    /* the number of threads that was the fastest so far */
    int most;                      /* the largest number that it may try */
    int tries_more;                /* the next alternative is the next larger number on the ladder */
    int trial;                     /* 0: none; 1: times the choice; 2: times the alternative; 3: times one thread */
    int settling;                  /* the next note is not counted: caches still hold data of the previous threads */
    double seconds, steps;         /* of the current trial */
    double seconds_of_choice;      /* of one step, from the trial that just ended */
    double worked;                 /* total seconds of work; this clock stands still between calls */
    double next_change, last_wait; /* when to end this trial or begin the next one, on the clock `worked` */
    double alone;                  /* seconds of a step on one thread */
    double balance;                /* seconds that several threads have gained; when it is used up, they rest */
    double rest_until, last_rest;  /* on the clock `worked` */
} fm_autotuner;

/* Those for calls of one kind: numbers of rows from a power of two to the next share one. A call has them alone. */
enum { FM_TUNERS = 8 };
typedef struct {
    fm_autotuner by_rows[FM_TUNERS];
} fm_tuners;

/* Threads for the next steps. At first, this is 1, to time it, then `proposed`; if `most` is below 2, it is `most`. */
int fm_autotuner_threads(fm_autotuner *tuner, int64_t rows, int proposed, int most);

/* Records that `threads` did steps of `rows` rows together in `seconds`. Returns whether several threads rest now because
   a single step came so late that another program must have taken a processor. */
int fm_autotuner_note(fm_autotuner *tuner, int threads, double seconds, int64_t rows);

/* How many more seconds of work the choice is valid for. */
double fm_autotuner_seconds_left(const fm_autotuner *tuner);

/* The seconds after which steps of `rows` rows together, on several threads, have used up the balance. */
double fm_autotuner_patience(const fm_autotuner *tuner, int64_t rows);

#endif
