/* Takes fewer threads while other programs use our processors. A team is as fast as its slowest worker: a worker
   that loses its processor for a few milliseconds delays all others at the next barrier. So a worker that lost its
   processor reports it, and the process takes fewer threads for a while. Then it tries the full number again, less
   often after each failure.

   In a pause, large steps keep all threads, which take work from each other. If a worker still gets almost no
   processor time, they take fewer threads too. */
#ifndef FM_BASE_BACKOFF_H
#define FM_BASE_BACKOFF_H

/* The number of threads, at most `threads`, to use now. */
int fm_backoff_limit(int threads);

/* Whether large steps should take work from each other now, on all threads. */
int fm_backoff_wants_stealing(void);

/* FIXED: each worker has its own part. A LARGE step has fixed parts too, but could be STEALING: its workers take work
   from each other. */
typedef enum { FM_FIXED, FM_LARGE, FM_STEALING } fm_team_kind;

/* Reports that `displaced` of `threads` workers of such a team lost their processors. */
void fm_backoff_report(int threads, int displaced, fm_team_kind kind);

#endif
