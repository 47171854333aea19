/* How many threads steps of one size should take, found by trying.

   The cost model of schedule.c does not know whether two processors share a cache or sit on different dies, which decides
   whether a second thread helps a small network or holds it up. So one thread and several take turns for a moment, the
   better goes on, and this is repeated more and more seldom, for virtual machines move while they run. */
#ifndef FM_ENGINE_AUTOTUNER_H
#define FM_ENGINE_AUTOTUNER_H

#include <stdint.h>

typedef struct {
    int64_t rows;                  /* of the steps it knows about */
    int several;                   /* the alternative to one thread */
    int choice;                    /* 0: one thread, 1: several */
    int trial;                     /* 0: none; 1: the choice is being timed; 2: its alternative is */
    int settling;                  /* caches still hold what the threads before left */
    double seconds, steps;         /* of what is being timed */
    double seconds_of_choice;      /* a step's, as just timed */
    double worked;                 /* seconds so far: the clock of what follows, which stands still between calls */
    double next_change, last_wait; /* when to end a trial or to begin the next one */
} fm_autotuner;

/* Threads for what comes next: `proposed` ones at first, and whenever `most` allows no choice. */
int fm_autotuner_threads(fm_autotuner *tuner, int64_t rows, int proposed, int most);

/* Takes note of what the chosen threads did. */
void fm_autotuner_note(fm_autotuner *tuner, double seconds, int64_t steps);

/* How much longer the choice stands. */
double fm_autotuner_seconds_left(const fm_autotuner *tuner);

#endif
