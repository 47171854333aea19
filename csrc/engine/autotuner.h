/* Finds by trials how many threads steps of one size should take.

   The cost model of schedule.c does not know whether two processors share a cache or are on different dies. That
   decides whether a second thread makes a small network faster or slower. So the autotuner times
   neighbours on the ladder 1, 2, 4, 8, ..., most in turn and keeps the faster one. It repeats this less and less often, but never stops, because
   a virtual machine can move to other processors. */
#ifndef FM_ENGINE_AUTOTUNER_H
#define FM_ENGINE_AUTOTUNER_H

#include <stdint.h>

typedef struct {
    int64_t rows;                  /* rows of the steps that it was tuned for */
    int choice;                    /* the number of threads that was the fastest so far */
    int most;                      /* the largest number that it may try */
    int tries_more;                /* the next alternative is the next larger number on the ladder */
    int trial;                     /* 0: none; 1: times the choice; 2: times the alternative */
    int settling;                  /* the next note is not counted: caches still hold data of the previous threads */
    double seconds, steps;         /* of the current trial */
    double seconds_of_choice;      /* of one step, from the trial that just ended */
    double worked;                 /* total seconds of work; this clock stands still between calls */
    double next_change, last_wait; /* when to end this trial or begin the next one, on the clock `worked` */
} fm_autotuner;

/* Threads for the next steps. At first, this is `proposed`; if `most` is below 2, it is `most`. */
int fm_autotuner_threads(fm_autotuner *tuner, int64_t rows, int proposed, int most);

/* Records that the chosen threads did `steps` steps in `seconds`. */
void fm_autotuner_note(fm_autotuner *tuner, double seconds, int64_t steps);

/* How many more seconds of work the choice is valid for. */
double fm_autotuner_seconds_left(const fm_autotuner *tuner);

#endif
