/* The number of threads follows the machine, and never changes the bits. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/backoff.h"
#include "base/parallel.h"
#include "check.h"
#include "engine/autotuner.h"
#include "fastmlp.h"

static double seconds_of_limit(int threads) {
    const double start = fm_seconds();
    while (fm_backoff_limit(threads) < threads && fm_seconds() - start < 10.0) continue;
    return fm_seconds() - start;
}

static void check_limits(void) {
    CHECK(fm_backoff_limit(4) == 4 && !fm_backoff_wants_stealing(), "nothing was reported yet");
    fm_backoff_report(4, 0, FM_FIXED);
    CHECK(fm_backoff_limit(4) == 4, "nobody was displaced");
    fm_backoff_report(4, 1, FM_FIXED);
    CHECK(fm_backoff_limit(4) == 3 && fm_backoff_limit(3) == 3 && fm_backoff_limit(2) == 2,
          "one of four was displaced");
    fm_backoff_report(4, 4, FM_FIXED);
    CHECK(fm_backoff_limit(4) == 1, "one thread is always left");
    CHECK(fm_backoff_wants_stealing(), "all threads can still share large steps");
    fm_backoff_report(4, 1, FM_STEALING);
    CHECK(!fm_backoff_wants_stealing() && fm_backoff_limit(4) == 3, "not even by taking work from each other");
    fm_backoff_report(4, 1, FM_FIXED);
    CHECK(fm_backoff_wants_stealing(), "a new period");
}

static int pauses_grow(void) {
    double before = seconds_of_limit(2);
    for (int i = 0; i < 3; i++) {
        fm_backoff_report(2, 1, FM_FIXED);
        const double pause = seconds_of_limit(2);
        if (pause <= 1.2 * before) return 0;
        before = pause;
    }
    return 1;
}

/* A limit that returns soon after its end lasts longer each time, but about a second at most. If the machine stops
   this thread for a while, a pause seems longer and the next series starts again; then the check is repeated. */
static void check_pauses(void) {
    int grow = pauses_grow();
    for (int attempt = 0; attempt < 20 && !grow; attempt++) {
        fm_sleep(0.15); /* this long without a limit ends the series */
        fm_backoff_report(2, 1, FM_FIXED);
        grow = pauses_grow();
    }
    CHECK(grow, "pauses do not grow");
    for (int i = 0; i < 20; i++) fm_backoff_report(2, 1, FM_FIXED);
    CHECK(seconds_of_limit(2) < 2.0, "too long");
    CHECK(fm_backoff_limit(2) == 2, "the limit is lifted for good");
}

/* Runs a tuner through `duration` seconds of steps that take `step[0]` on one thread and `step[1]` on two. Returns
   the fraction of the time that was spent on the slower choice. */
static double tune_for(fm_autotuner *tuner, double duration, const double step[2]) {
    double done = 0.0, on_slower = 0.0;
    while (done < duration) {
        const int threads = fm_autotuner_threads(tuner, 32, 2, 2);
        const double seconds = step[threads - 1];
        if (seconds > step[2 - threads]) on_slower += seconds;
        done += seconds;
        fm_autotuner_note(tuner, threads, seconds, 32);
    }
    return on_slower / duration;
}

static void check_autotuner(void) {
    const double slower_together[2] = {15e-6, 45e-6}, faster_together[2] = {15e-6, 10e-6};
    fm_autotuner tuner = {0};
    CHECK(fm_autotuner_threads(&tuner, 32, 1, 1) == 1, "no choice");
    CHECK(tune_for(&tuner, 1.0, slower_together) < 0.03, "two threads that hold each other up");
    CHECK(tune_for(&tuner, 30.0, slower_together) < 0.001, "trials become seldom");
    CHECK(tune_for(&tuner, 5.0, faster_together) < 0.6, "the machine has changed");
    CHECK(tune_for(&tuner, 30.0, faster_together) < 0.001, "and stays so");
    CHECK(fm_autotuner_threads(&tuner, 32, 2, 1) == 1, "other programs want the processors");
    CHECK(fm_autotuner_threads(&tuner, 8, 1, 2) == 1, "steps of another size start again");
}

/* The mean time of a step, over that of one thread, if every `every`th step on two threads comes `stall` seconds late
   from the first second on. */
static double mean_beside_stalls(int every, double stall, double seconds) {
    fm_autotuner tuner = {0};
    double done = 0.0, alone = 0.0;
    for (int steps = 0; done < seconds; steps++) {
        const int threads = fm_autotuner_threads(&tuner, 32, 2, 2);
        double step = threads == 1 ? 100e-6 : 60e-6;
        if (threads == 2 && done > 1.0 && steps % every == 0) step += stall;
        if (done > 1.0) alone += 100e-6;
        done += step;
        fm_autotuner_note(&tuner, threads, step, 32);
    }
    return (done - 1.0) / alone;
}

/* Stalls of 4 ms in one of 20 to 90 steps make two threads slower than one, although their median is shorter. */
static void check_stalls(void) {
    for (int every = 1; every < 100; every = 2 * every + 1) {
        const double mean = mean_beside_stalls(every, 4e-3, 20.0);
        CHECK(mean < 1.05, "a stall in every %d steps: %.3f times one thread", every, mean);
    }
    CHECK(mean_beside_stalls(300, 4e-3, 20.0) < 0.85, "rare stalls are worth it: %.3f",
          mean_beside_stalls(300, 4e-3, 20.0));
    fm_autotuner tuner = {0};
    int reports = 0;
    while (tuner.worked < 1.0) {
        const int threads = fm_autotuner_threads(&tuner, 32, 2, 2);
        reports += fm_autotuner_note(&tuner, threads, threads == 1 ? 100e-6 : 130e-6, 32);
    }
    CHECK(reports == 0 && tuner.choice == 1, "slower, but no program takes the processor");
    CHECK(mean_beside_stalls(1 << 30, 0.0, 20.0) < 0.62, "no stalls");
}

/* The choice after some seconds, from a start on `first` threads, if `seconds[i]` is the time of a step on 2^i. */
static int choice_of(int first, const double seconds[5]) {
    fm_autotuner tuner = {0};
    for (double done = 0.0; done < 5.0;) {
        const int threads = fm_autotuner_threads(&tuner, 32, first, 12);
        const double step = seconds[threads == 12 ? 4 : threads == 8 ? 3 : threads / 2];
        done += step;
        fm_autotuner_note(&tuner, threads, step, 32);
    }
    return tuner.choice;
}

/* The ladder of 12 threads is 1, 2, 4, 8, 12. */
static void check_ladder(void) {
    const double more[5] = {90e-6, 50e-6, 30e-6, 20e-6, 16e-6}, four[5] = {90e-6, 50e-6, 30e-6, 40e-6, 60e-6};
    const double one[5] = {20e-6, 30e-6, 40e-6, 50e-6, 60e-6};
    for (int first = 1; first <= 8; first *= 2) {
        CHECK(choice_of(first, more) == 12, "from %d threads up", first);
        CHECK(choice_of(first, four) == 4, "from %d threads to four", first);
        CHECK(choice_of(first, one) == 1, "from %d threads down", first);
    }
}

enum { ROWS = 4096, WIDTH = 192, STEPS = ROWS / 64, SAMPLES = ROWS * WIDTH };

typedef struct {
    float params[WIDTH * WIDTH + WIDTH];
    double loss;
    int64_t steps;
} result;

static void make(int64_t width, double clip_norm, fm_net **net, fm_trainer **trainer) {
    const fm_node node = {
        .op = FM_OP_LINEAR, .n_sources = 1, .source = {-1}, .fan_in = width, .fan_out = width, .bias = 1};
    const fm_ends ends = {.n_inputs = 1, .width = {width}, .n_outputs = 1, .output = {0}};
    const fm_head head = {.loss = {.kind = 1, .mean = 1}, .weight = 1.0};
    const fm_penalty penalty = {.p = 2.0, .lam = 1e-4};
    const fm_optimizer_spec optimizer = {.kind = 0, .clip_norm = clip_norm, .n_penalties = 1, .penalties = &penalty};
    if (fm_net_new(&ends, 1, &node, FM_F32, 1, net) != FM_OK) abort();
    if (fm_trainer_new(*net, &head, &optimizer, trainer) != FM_OK) abort();
}

/* One epoch longer than the shortest pause, always from the same start. */
static void train(const float *x, result *out) {
    static double rates[STEPS];
    fm_net *net;
    fm_trainer *trainer;
    for (int i = 0; i < STEPS; i++) rates[i] = 0.05;
    make(WIDTH, 0.0, &net, &trainer);
    const fm_epoch epoch = {
        .x = {x}, .targets = {{.values = x, .cols = WIDTH}}, .rows = ROWS, .batch = 64, .lr = rates};
    CHECK(fm_train(trainer, &epoch, &out->loss, &out->steps) == FM_OK, "training");
    memcpy(out->params, fm_net_params(net), sizeof out->params);
    fm_trainer_free(trainer);
    fm_net_free(net);
}

/* If a limit ends during an epoch, the threads regroup between two steps. */
static void check_bits(void) {
    static result undisturbed, regrouped;
    static float x[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) x[i] = (float)(i % 1013 * 7919 % 1000) / 500.0f - 1.0f;
    fm_set_process_threads(2);
    fm_ignore_thread_cost(1);
    train(x, &undisturbed);
    for (int i = 0; i < 5; i++) {
        fm_backoff_report(2, 1, FM_FIXED);
        train(x, &regrouped);
        CHECK(regrouped.steps == STEPS, "%lld steps", (long long)regrouped.steps);
        CHECK(memcmp(&undisturbed, &regrouped, sizeof regrouped) == 0, "other bits");
    }
}

/* Many more threads than processors have the same bits. 64 and 128 meet in several groups. */
static void check_many_threads(void) {
    static const int counts[] = {2, 15, 16, 17, 64, 128};
    static result alone, together;
    static float x[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) x[i] = (float)(i % 1013 * 7919 % 1000) / 500.0f - 1.0f;
    fm_ignore_thread_cost(1);
    fm_override_threads(1);
    train(x, &alone);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        fm_override_threads(counts[i]);
        fm_force_stealing((int)i % 2);
        train(x, &together);
        CHECK(memcmp(&alone, &together, sizeof alone) == 0, "other bits on %d threads", counts[i]);
    }
    fm_force_stealing(0);
    fm_override_threads(0);
}

enum { MEETINGS = 200 };

typedef struct {
    _Atomic int before[MEETINGS];
    _Atomic int early, taken;
} meeting_log;

/* Counts the threads that leave a barrier before all others have reached it. */
static void meet_often(void *context, fm_worker *self) {
    meeting_log *log = context;
    for (int i = 0; i < MEETINGS; i++) {
        atomic_fetch_add(&log->before[i], 1);
        fm_barrier(self);
        if (atomic_load(&log->before[i]) != self->count) atomic_fetch_add(&log->early, 1);
    }
    atomic_store(&log->taken, self->count);
}

static void check_barriers(void) {
    static const int counts[] = {2, 3, 16, 17, 31, 32, 33, 100};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        meeting_log log = {0};
        fm_override_threads(counts[i]);
        fm_parallel(counts[i], meet_often, &log);
        CHECK(atomic_load(&log.early) == 0, "%d of %d threads left too early", atomic_load(&log.early), counts[i]);
        CHECK(atomic_load(&log.taken) >= 1, "no thread");
    }
    fm_override_threads(0);
}

static int stop_now(void *context) {
    (void)context;
    return 1;
}

static int stop_later(void *context) { return ++*(int *)context % 2; }

/* A prediction by more threads than row blocks may be stopped after any block. It must end. */
static void check_stopped_predictions(void) {
    enum { RUNS = 40, PREDICTED = 500, NARROW = 256 };
    static float x[PREDICTED * NARROW], y[PREDICTED * NARROW];
    const fm_node node = {
        .op = FM_OP_LINEAR, .n_sources = 1, .source = {-1}, .fan_in = NARROW, .fan_out = NARROW, .bias = 1};
    const fm_ends ends = {.n_inputs = 1, .width = {NARROW}, .n_outputs = 1, .output = {0}};
    const void *const xs[] = {x};
    void *const ys[] = {y};
    fm_net *net;
    int calls = 0, stopped = 0;
    if (fm_net_new(&ends, 1, &node, FM_F32, 1, &net) != FM_OK) abort();
    fm_set_process_threads(64);
    for (int run = 0; run < RUNS; run++)
        stopped += fm_net_predict(net, PREDICTED, xs, ys, stop_later, &calls) == FM_INTERRUPTED;
    CHECK(stopped > 0, "no prediction was stopped");
    fm_net_free(net);
}

/* A stop may come in any part of a step, while other threads are still leaving the previous barrier. Each of these
   runs must end. With clipping, gradients and updates are separate, and both can be stopped. */
static void check_stops(void) {
    enum { RUNS = 150, EPOCH = 64 * 100000 };
    static float x[256 * WIDTH];
    static double rates[EPOCH / 64];
    int64_t *order = malloc(EPOCH * sizeof *order), steps;
    fm_net *net;
    fm_trainer *trainer;
    double value;
    if (order == NULL) abort();
    for (int64_t i = 0; i < EPOCH; i++) order[i] = i % 256;
    for (int i = 0; i < 256 * WIDTH; i++) x[i] = (float)(i % 97) / 97.0f;
    make(60, 1.0, &net, &trainer);
    fm_set_process_threads(4);
    const fm_epoch epoch = {.x = {x},
                            .targets = {{.values = x, .cols = 60}},
                            .rows = EPOCH,
                            .order = order,
                            .batch = 64,
                            .lr = rates,
                            .poll = stop_now};
    for (int run = 0; run < RUNS; run++)
        CHECK(fm_train(trainer, &epoch, &value, &steps) == FM_INTERRUPTED, "run %d was not stopped", run);
    fm_trainer_free(trainer);
    fm_net_free(net);
    free(order);
}

/* A node that passes its rows on. Its backward takes longer than the time between two polls. */
static int pass_slowly(void *went_back, const fm_custom_call *call) {
    if (call->dy == NULL) {
        memcpy(call->y, call->x[0], (size_t)call->rows * WIDTH * sizeof(float));
        return 0;
    }
    *(float *)call->grads = 0.0f;
    for (const double start = fm_seconds(); fm_seconds() - start < 0.03;) continue;
    *(int *)went_back = 1;
    return 0;
}

static int has_gone_back(void *went_back) { return *(int *)went_back; }

/* A stop while only gradients of weights remain to be computed is noticed, and nothing is updated. */
static void check_stop_before_update(int threads) {
    static float x[64 * WIDTH];
    static const double rate = 0.5;
    const fm_node nodes[] = {
        {.op = FM_OP_CUSTOM, .n_sources = 1, .source = {-1}, .fan_in = WIDTH, .fan_out = WIDTH, .size = {1}},
        {.op = FM_OP_LINEAR, .n_sources = 1, .source = {0}, .fan_in = WIDTH, .fan_out = WIDTH}};
    const fm_ends ends = {.n_inputs = 1, .width = {WIDTH}, .n_outputs = 1, .output = {1}};
    const fm_head head = {.loss = {.kind = 1, .mean = 1}, .weight = 1.0};
    const fm_optimizer_spec optimizer = {.kind = 0, .clip_norm = 1.0}; /* clipping: all gradients first, then updates */
    int went_back = 0;
    int64_t steps = -1, moved = 0;
    double value;
    fm_net *net;
    fm_trainer *trainer;
    for (int i = 0; i < 64 * WIDTH; i++) x[i] = 1.0f;
    if (fm_net_new(&ends, 2, nodes, FM_F32, 1, &net) != FM_OK) abort();
    fm_net_set_custom(net, pass_slowly, &went_back);
    if (fm_trainer_new(net, &head, &optimizer, &trainer) != FM_OK) abort();
    fm_epoch epoch = {.x = {x}, .targets = {{.values = x, .cols = WIDTH}}, .rows = 64, .batch = 64, .lr = &rate};
    epoch.poll = has_gone_back, epoch.poll_context = &went_back;
    fm_set_process_threads(threads);
    const float *params = fm_net_params(net);
    CHECK(fm_train(trainer, &epoch, &value, &steps) == FM_INTERRUPTED, "on %d threads", threads);
    for (int64_t k = 0; k < fm_net_parameters(net); k++) moved += params[k] != 0.0f;
    CHECK(steps == 0 && *fm_trainer_updates(trainer) == 0 && moved == 0, "%lld have moved", (long long)moved);
    epoch.poll = NULL;
    CHECK(fm_train(trainer, &epoch, &value, &steps) == FM_OK && steps == 1, "afterwards");
    for (int64_t k = 0; k < fm_net_parameters(net); k++) moved += params[k] != 0.0f;
    CHECK(moved > 0, "nothing has moved");
    fm_trainer_free(trainer);
    fm_net_free(net);
}

int main(void) {
    check_limits();
    check_pauses();
    check_autotuner();
    check_stalls();
    check_ladder();
    check_bits();
    check_many_threads();
    check_barriers();
    check_stopped_predictions();
    check_stops();
    check_stop_before_update(1);
    check_stop_before_update(3);
    return report();
}
