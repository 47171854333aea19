/* Other programs on our processors. A team is as fast as its slowest worker, and a worker whose processor was given to
   someone else for a few milliseconds holds up all the others at the next barrier. So whoever lost a processor reports
   it, and for a while the process takes fewer threads; then it tries again, more and more seldom while that fails. */
#ifndef FM_BASE_BACKOFF_H
#define FM_BASE_BACKOFF_H

/* How many of `threads` to take now. */
int fm_backoff_limit(int threads);

/* Of `threads` workers, `displaced` have lost their processors. */
void fm_backoff_report(int threads, int displaced);

#endif
