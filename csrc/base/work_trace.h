/* For benchmarks: the processor time of each worker between the barriers of a region. From it, bench/scaling.py
   predicts how long the region takes on a machine that has a core for each worker. */
#ifndef FM_BASE_WORK_TRACE_H
#define FM_BASE_WORK_TRACE_H

/* The next regions write seconds[worker * intervals + interval]; NULL switches this off. What does not fit into
   `workers` and `intervals` is left out. Not while regions run. */
void fm_trace_work(double *seconds, int workers, int intervals);

int fm_traces_work(void);
void fm_trace_interval(int worker, int interval, double seconds);

#endif
