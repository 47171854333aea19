/* Takes fewer threads while other programs use our processors. A team is as fast as its slowest worker: a worker
   that loses its processor for a few milliseconds delays all others at the next barrier. So a worker that lost its
   processor reports it, and the process takes fewer threads for a while. Then it tries the full number again, less
   often after each failure. */
#ifndef FM_BASE_BACKOFF_H
#define FM_BASE_BACKOFF_H

/* The number of threads, at most `threads`, to use now. */
int fm_backoff_limit(int threads);

/* Reports that `displaced` of `threads` workers lost their processors. */
void fm_backoff_report(int threads, int displaced);

#endif
