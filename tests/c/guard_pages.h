/* Arrays that begin or end at memory that must not be touched. */
#ifndef FM_TESTS_GUARD_PAGES_H
#define FM_TESTS_GUARD_PAGES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Slots of the same size in one mapping, with an inaccessible page before and after each. */
typedef struct {
    char *base;
    size_t page, room;
} guard_pages;

static guard_pages guard_pages_new(int slots, size_t most_bytes) {
    guard_pages g = {.page = (size_t)sysconf(_SC_PAGESIZE)};
    g.room = (most_bytes + g.page - 1) / g.page * g.page;
    const size_t all = (size_t)slots * (g.room + g.page) + g.page;
    g.base = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int failed = g.base == MAP_FAILED;
    for (int i = 0; i < slots && !failed; i++)
        failed = mprotect(g.base + g.page + (size_t)i * (g.room + g.page), g.room, PROT_READ | PROT_WRITE) != 0;
    if (failed) {
        perror("guard pages");
        exit(1);
    }
    return g;
}

/* An array in a slot; it ends at the guard after the slot, or begins at the guard before it. */
static void *guarded(const guard_pages *g, int slot, int64_t bytes, int at_end) {
    char *begin = g->base + g->page + (size_t)slot * (g->room + g->page);
    return at_end ? begin + (g->room - (size_t)bytes) : begin;
}

#endif
