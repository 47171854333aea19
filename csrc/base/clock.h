/* Clocks, in seconds since an arbitrary moment. */
#ifndef FM_BASE_CLOCK_H
#define FM_BASE_CLOCK_H

double fm_seconds(void);        /* wall clock */
double fm_thread_seconds(void); /* processor time of the calling thread; a system call of half a microsecond */
void fm_sleep(double seconds);  /* `seconds` must be less than 1 */

#endif
