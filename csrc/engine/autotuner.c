#include "engine/autotuner.h"

/* Seconds of work. A trial must be much longer than it takes to wake a thread. The shortest wait follows a changed
   choice. */
static const double warm_up = 2e-3, trial_length = 5e-4, shortest_wait = 0.05, longest_wait = 2.0, growth = 3.0;
static const double least_steps = 4.0;
/* The alternative must take less than this part of the time: if several threads are equally fast, one thread stays. */
static const double clearly = 0.97;
/* The most that may be lost at the beginning and after a rest, and the most gain that is remembered. A short stall of
   the system costs several threads a few milliseconds on a quiet machine too. */
static const double overdraft = 1e-3, most_balance = 2e-2;
/* A rest is so many times as long as what was lost before it, and longer each time, unless several threads have worked
   well for `well` seconds in between. */
static const double rest_for_loss = 30.0, longest_rest = 2.0, well = 0.1;
/* The time on one thread is a mean over about so many seconds of work, stalls included. */
static const double memory = 0.05;

enum { NO_TRIAL, OF_CHOICE, OF_ALTERNATIVE, OF_ONE };

static void begin(fm_autotuner *tuner, int trial, double length) {
    tuner->trial = trial;
    tuner->settling = trial != NO_TRIAL;
    tuner->seconds = tuner->steps = 0.0;
    tuner->next_change = tuner->worked + length;
}

/* The neighbour of the choice on the ladder 1, 2, 4, 8, ..., most: the larger one, unless there is none. */
static int alternative(const fm_autotuner *tuner) {
    int below = 1;
    if (tuner->choice < tuner->most && (tuner->tries_more || tuner->choice == 1))
        return 2 * tuner->choice < tuner->most ? 2 * tuner->choice : tuner->most;
    while (2 * below < tuner->choice) below *= 2;
    return below;
}

static int rests(const fm_autotuner *tuner) { return tuner->worked < tuner->rest_until; }

/* Steps of similar sizes share what was learned: the time of a row is about the same. */
static int are_similar(int64_t a, int64_t b) { return 2 * a > b && 2 * b > a; }

int fm_autotuner_threads(fm_autotuner *tuner, int64_t rows, int proposed, int most) {
    if (most < 2) return most;
    if (!are_similar(tuner->rows, rows) || tuner->most != most) {
        *tuner = (fm_autotuner){.rows = rows, .choice = proposed, .most = most, .tries_more = 1};
        begin(tuner, OF_ONE, warm_up);
    }
    if (tuner->trial == OF_ONE || rests(tuner)) return 1;
    return tuner->trial == OF_ALTERNATIVE ? alternative(tuner) : tuner->choice;
}

/* After a success, the next trial goes on in the same direction; otherwise it takes the other one. */
static void decide(fm_autotuner *tuner) {
    const int changes = tuner->seconds / tuner->steps < clearly * tuner->seconds_of_choice;
    const int tried = alternative(tuner);
    double wait = changes ? shortest_wait : growth * tuner->last_wait;
    wait = wait < shortest_wait ? shortest_wait : wait > longest_wait ? longest_wait : wait;
    if (changes) tuner->tries_more = tried > tuner->choice, tuner->choice = tried;
    else tuner->tries_more = tried < tuner->choice;
    tuner->last_wait = wait;
    begin(tuner, NO_TRIAL, wait);
}

/* One thread works alone for a while; then a trial decides anew. */
static void rest(fm_autotuner *tuner) {
    const double least = rest_for_loss * -tuner->balance;
    double length = tuner->worked - tuner->rest_until < well ? 2.0 * tuner->last_rest : 0.0;
    length = length < least ? least : length;
    tuner->last_rest = length > longest_rest && least < longest_rest ? longest_rest : length;
    tuner->rest_until = tuner->worked + tuner->last_rest;
    tuner->balance = 0.0;
    begin(tuner, NO_TRIAL, tuner->last_rest);
}

/* A step on one thread, or the gain of several. False if their balance is used up. */
static int balance(fm_autotuner *tuner, int threads, double seconds, double steps) {
    if (tuner->alone == 0.0) return 1;
    if (threads == 1) {
        const double part = steps * tuner->alone / memory;
        tuner->alone += (seconds / steps - tuner->alone) * (part < 0.25 ? part : 0.25);
        return 1;
    }
    tuner->balance += steps * tuner->alone - seconds;
    if (tuner->balance > most_balance) tuner->balance = most_balance;
    return tuner->balance > -overdraft;
}

/* The next part of the trial, once it has lasted long enough. */
static void go_on(fm_autotuner *tuner) {
    const double of_step = tuner->seconds / tuner->steps;
    if (tuner->trial == OF_ALTERNATIVE) {
        decide(tuner);
    } else if (tuner->trial == OF_ONE) {
        tuner->alone = of_step;
        begin(tuner, NO_TRIAL, warm_up);
    } else {
        if (tuner->trial == OF_CHOICE) tuner->seconds_of_choice = of_step;
        begin(tuner, tuner->trial + 1, trial_length);
    }
}

/* In steps of the size that it was tuned for. */
static double steps_of(const fm_autotuner *tuner, int64_t rows) { return (double)rows / (double)tuner->rows; }

int fm_autotuner_note(fm_autotuner *tuner, int threads, double seconds, int64_t rows) {
    const double steps = steps_of(tuner, rows);
    if (rows < 1) return 0;
    tuner->worked += seconds;
    if (!balance(tuner, threads, seconds, steps)) {
        rest(tuner);
        return steps < least_steps && seconds > steps * tuner->alone + overdraft;
    }
    if (rests(tuner)) return 0;
    if (tuner->settling) {
        tuner->settling = 0;
        tuner->next_change = tuner->worked + trial_length;
        return 0;
    }
    tuner->seconds += seconds;
    tuner->steps += steps;
    if (tuner->worked >= tuner->next_change && tuner->steps >= least_steps) go_on(tuner);
    return 0;
}

double fm_autotuner_seconds_left(const fm_autotuner *tuner) {
    return (rests(tuner) ? tuner->rest_until : tuner->next_change) - tuner->worked;
}

double fm_autotuner_patience(const fm_autotuner *tuner, int64_t rows) {
    return tuner->alone == 0.0 ? 1e9 : steps_of(tuner, rows) * tuner->alone + tuner->balance + overdraft;
}
