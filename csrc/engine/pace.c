#include "engine/pace.h"

/* Seconds of work. A trial must outlast the waking of a thread by far; the shortest wait follows a decision that was changed. */
static const double warm_up = 2e-3, trial_length = 5e-4, shortest_wait = 0.05, longest_wait = 2.0, growth = 3.0;
static const double least_steps = 4.0;
/* An alternative must be better by this factor: what is equally fast on fewer threads is left alone. */
static const double clearly = 0.97;

static void begin(fm_pace *pace, int trial, double length) {
    pace->trial = trial;
    pace->settling = trial != 0;
    pace->seconds = pace->steps = 0.0;
    pace->next_change = pace->worked + length;
}

int fm_pace_threads(fm_pace *pace, int64_t rows, int proposed, int most) {
    if (most < 2) return most;
    if (pace->rows != rows) {
        *pace = (fm_pace){.rows = rows, .several = proposed > 1 ? proposed : 2, .choice = proposed > 1};
        begin(pace, 0, warm_up);
    }
    if (pace->trial == 0 && proposed > pace->several) pace->several = proposed;
    if (pace->choice == (pace->trial == 2)) return 1;
    return pace->several < most ? pace->several : most;
}

static void decide(fm_pace *pace) {
    const double alternative = pace->seconds / pace->steps;
    const int changes = alternative < clearly * pace->seconds_of_choice;
    double wait = changes ? shortest_wait : growth * pace->last_wait;
    wait = wait < shortest_wait ? shortest_wait : wait > longest_wait ? longest_wait : wait;
    pace->choice ^= changes;
    pace->last_wait = wait;
    begin(pace, 0, wait);
}

void fm_pace_note(fm_pace *pace, double seconds, int64_t steps) {
    pace->worked += seconds;
    if (pace->settling) {
        pace->settling = 0;
        pace->next_change = pace->worked + trial_length;
        return;
    }
    pace->seconds += seconds;
    pace->steps += (double)steps;
    if (pace->worked < pace->next_change || pace->steps < least_steps) return;
    if (pace->trial == 2) {
        decide(pace);
        return;
    }
    if (pace->trial == 1) pace->seconds_of_choice = pace->seconds / pace->steps;
    begin(pace, pace->trial + 1, trial_length);
}

double fm_pace_seconds_left(const fm_pace *pace) { return pace->next_change - pace->worked; }
