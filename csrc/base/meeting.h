/* A barrier for the threads of one team.

   Up to 16 threads meet at one counter. More threads meet in groups of 16, each on its own cache lines, and the last
   threads of the groups meet at another counter: a line that 64 processors write in turn takes microseconds. */
#ifndef FM_BASE_MEETING_H
#define FM_BASE_MEETING_H

enum { FM_MEETING_GROUP = 16, FM_MOST_GROUPS = 64 };

typedef struct {
    _Alignas(64) _Atomic int arrived;
    _Alignas(64) _Atomic unsigned generation; /* the waiting threads read it, and some sleep on it */
    _Atomic int sleepers;
} fm_meeting_group;

typedef struct {
    _Alignas(64) _Atomic int groups_arrived;
    int spins; /* how often a waiting thread looks before it yields its processor */
    fm_meeting_group group[FM_MOST_GROUPS];
} fm_meeting;

/* For up to `threads` threads. If they are `crowded`, with fewer processors than threads, they do not spin. */
void fm_meeting_begin(fm_meeting *meeting, int threads, int crowded);

/* Returns when all `count` threads have called it; `index` is the number of this one. The result is the time in
   seconds that it slept. */
double fm_meet(fm_meeting *meeting, int index, int count);

#endif
