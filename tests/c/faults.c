/* Commits the named fault, to show that a sanitizer reports it: faults <name>. "ordered" is not a fault: threads of
   an OpenMP region wait for each other, which a race detector must understand. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>

static volatile int one = 1;
static int shared;

static int overrun(void) {
    volatile char *block = malloc(16);
    if (block == NULL) return 2;
    const char found = block[16 * one]; /* the value does not matter */
    free((void *)block);
    return found == 77 ? 3 : 0;
}

static int *volatile lost;

static int leak(void) {
    lost = malloc(100);
    lost = NULL;
    return 0;
}

static int overflow(void) {
    volatile int most = INT_MAX;
    most = most + one;
    return most == 0;
}

static int undefined_value(void) {
    int *volatile block = malloc(sizeof *block);
    if (block == NULL) return 2;
    if (*block == 12345) puts("by chance");
    free(block);
    return 0;
}

static int race(void) {
#pragma omp parallel num_threads(2)
    for (int i = 0; i < 1000; i++) shared += omp_get_thread_num();
    return 0;
}

static int ordered(void) {
#pragma omp parallel num_threads(2)
    {
        if (omp_get_thread_num() == 0) shared = 1;
#pragma omp barrier
        if (omp_get_thread_num() == 1) shared++;
    }
    return shared != 2;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(void);
    } faults[] = {{"overrun", overrun},   {"leak", leak},
                  {"overflow", overflow}, {"undefined value", undefined_value},
                  {"race", race},         {"ordered", ordered}};
    for (size_t i = 0; argc == 2 && i < sizeof faults / sizeof *faults; i++)
        if (strcmp(argv[1], faults[i].name) == 0) return faults[i].run();
    fprintf(stderr, "no such fault\n");
    return 2;
}
