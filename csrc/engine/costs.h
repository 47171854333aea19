/* What threads cost on this machine. The numbers choose how many threads a call takes, and never change a result. */
#ifndef FM_ENGINE_COSTS_H
#define FM_ENGINE_COSTS_H

typedef struct {
    double region_us;      /* starting the team, which may be asleep */
    double barrier_us;     /* of one thread in a barrier */
    double flops_per_us;   /* of one thread, in float32 */
    double updates_per_us; /* of parameters, by an optimizer */
} fm_costs;

extern const fm_costs fm_usual_costs;

/* The costs for a call that takes one thread `alone_us` by the usual costs. The first call so long that several
   threads can pay measures them, on up to `threads` threads, in about a millisecond. */
const fm_costs *fm_costs_for(double alone_us, int threads);

#endif
