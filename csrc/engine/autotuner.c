#include "engine/autotuner.h"

/* Seconds of work. A trial must be much longer than it takes to wake a thread. The shortest wait follows a changed
   choice. */
static const double warm_up = 2e-3, trial_length = 5e-4, shortest_wait = 0.05, longest_wait = 2.0, growth = 3.0;
static const double least_steps = 4.0;
/* The alternative must take less than this part of the time: if several threads are equally fast, one thread stays. */
static const double clearly = 0.97;

static void begin(fm_autotuner *tuner, int trial, double length) {
    tuner->trial = trial;
    tuner->settling = trial != 0;
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

int fm_autotuner_threads(fm_autotuner *tuner, int64_t rows, int proposed, int most) {
    if (most < 2) return most;
    if (tuner->rows != rows || tuner->most != most) {
        *tuner = (fm_autotuner){.rows = rows, .choice = proposed, .most = most, .tries_more = 1};
        begin(tuner, 0, warm_up);
    }
    return tuner->trial == 2 ? alternative(tuner) : tuner->choice;
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
    begin(tuner, 0, wait);
}

void fm_autotuner_note(fm_autotuner *tuner, double seconds, int64_t steps) {
    tuner->worked += seconds;
    if (tuner->settling) {
        tuner->settling = 0;
        tuner->next_change = tuner->worked + trial_length;
        return;
    }
    tuner->seconds += seconds;
    tuner->steps += (double)steps;
    if (tuner->worked < tuner->next_change || tuner->steps < least_steps) return;
    if (tuner->trial == 2) {
        decide(tuner);
        return;
    }
    if (tuner->trial == 1) tuner->seconds_of_choice = tuner->seconds / tuner->steps;
    begin(tuner, tuner->trial + 1, trial_length);
}

double fm_autotuner_seconds_left(const fm_autotuner *tuner) { return tuner->next_change - tuner->worked; }
