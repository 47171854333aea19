/* Clocks, in seconds from some moment on. */
#ifndef FM_BASE_CLOCK_H
#define FM_BASE_CLOCK_H

double fm_seconds(void); /* of the wall */
double
fm_thread_seconds(void);       /* that the calling thread has spent on a processor: a system call, half a microsecond */
void fm_sleep(double seconds); /* less than one */

#endif
