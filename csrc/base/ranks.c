/* A sum goes in rounds, in which a rank exchanges numbers with the rank whose number differs in one bit: bit 0 first, so
   that the sums are those of a binary tree. In a short sum both get all numbers (recursive doubling). In a long one each
   keeps one half of the numbers (recursive halving), and in as many rounds back they exchange what they have. Both add the
   same numbers in the same order. Several sums may be under way; each goes on at every call. */
#include "base/ranks.h"

#include <sched.h>
#include <string.h>

#include "base/aligned_alloc.h"
#include "base/arithmetic.h"
#include "base/clock.h"

enum {
    MOST_LEVELS = 20,
    MOST_SUMS = 64,
    MOST_BYTES = 1
        << 22,          /* of a sum: longer arrays are several sums, so that one is added while the next one travels */
    STATUS_BYTES = 256, /* more than in any library */
    TAGS = 4096         /* MPI allows 32767 at least */
};

/* Numbers first .. end of a sum. */
typedef struct {
    int64_t first, end;
} part;

/* ROUND_SHORT: both send all; HALVE: each sends the half that the other keeps; RETURN: each sends what it has. */
typedef enum { ROUND_SHORT, ROUND_HALVE, ROUND_RETURN } round_kind;

typedef struct {
    char *values;
    fm_wire wire;
    int tag, is_long, round, is_sent, is_received;
    part has[MOST_LEVELS + 1]; /* before each round of halving, and after the last one */
    uint64_t send, receive;    /* MPI's requests */
    char *room;                /* for what is received, and in bfloat16 for what is sent */
    int64_t room_bytes;
} sum;

struct fm_ranks {
    fm_mpi mpi;
    fm_reducer reducer;
    fm_ranks_poll poll;
    void *poll_context;
    int64_t long_bytes, bytes;
    double waited, last_poll;
    int levels, tag, has_failed;
    int first, count; /* sums under way, in a ring */
    sum sums[MOST_SUMS];
};

static int64_t element_bytes(fm_wire wire) { return wire == FM_WIRE_F64 ? 8 : 4; }
static int64_t wire_bytes(fm_wire wire) { return wire == FM_WIRE_BFLOAT16 ? 2 : element_bytes(wire); }

/* ---- bfloat16 ---- */

static uint32_t rounded(uint32_t bits) {
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (bits | 0x00400000u) & 0xffff0000u;
    return (bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u;
}

void fm_round_to_bfloat16(float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, sizeof bits);
        bits = rounded(bits);
        memcpy(values + i, &bits, sizeof bits);
    }
}

static void narrow(const float *from, int64_t count, uint16_t *to) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, from + i, sizeof bits);
        to[i] = (uint16_t)(bits >> 16);
    }
}

static void widen(const uint16_t *from, int64_t count, float *to) {
    for (int64_t i = 0; i < count; i++) {
        const uint32_t bits = (uint32_t)from[i] << 16;
        memcpy(to + i, &bits, sizeof bits);
    }
}

static void add_bfloat16(float *to, const uint16_t *from, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        const uint32_t bits = (uint32_t)from[i] << 16;
        float other;
        memcpy(&other, &bits, sizeof other);
        to[i] += other;
    }
    fm_round_to_bfloat16(to, count);
}

/* ---- a round ---- */

static round_kind kind_of(const fm_ranks *ranks, const sum *s) {
    if (!s->is_long) return ROUND_SHORT;
    return s->round < ranks->levels ? ROUND_HALVE : ROUND_RETURN;
}

/* The level of the tree, which is the number of the bit in which the two ranks differ. */
static int level_of(const fm_ranks *ranks, const sum *s) {
    return s->round < ranks->levels ? s->round : 2 * ranks->levels - 1 - s->round;
}

static int rounds_of(const fm_ranks *ranks, const sum *s) { return s->is_long ? 2 * ranks->levels : ranks->levels; }

/* The half of `all` that is not `half`. */
static part other_half(part all, part half) {
    return half.first == all.first ? (part){half.end, all.end} : (part){all.first, half.first};
}

static part sent_in(const fm_ranks *ranks, const sum *s) {
    const int level = level_of(ranks, s);
    if (!s->is_long) return s->has[0];
    if (s->round >= ranks->levels) return s->has[level + 1];
    return other_half(s->has[level], s->has[level + 1]);
}

static part received_in(const fm_ranks *ranks, const sum *s) {
    const int level = level_of(ranks, s);
    if (!s->is_long) return s->has[0];
    if (s->round >= ranks->levels) return other_half(s->has[level], s->has[level + 1]);
    return s->has[level + 1];
}

static void *at(const sum *s, int64_t index) { return s->values + index * element_bytes(s->wire); }

static void check(fm_ranks *ranks, int error) { ranks->has_failed |= error != 0; }

static void begin_round(fm_ranks *ranks, sum *s) {
    const fm_mpi *mpi = &ranks->mpi;
    const int other = mpi->rank ^ 1 << level_of(ranks, s);
    const part sent = sent_in(ranks, s), received = received_in(ranks, s);
    const int64_t out = (sent.end - sent.first) * wire_bytes(s->wire);
    const int64_t in = (received.end - received.first) * wire_bytes(s->wire);
    const int adds = kind_of(ranks, s) != ROUND_RETURN, is_narrow = s->wire == FM_WIRE_BFLOAT16;
    char *to = adds || is_narrow ? s->room : at(s, received.first);
    const char *from = is_narrow ? s->room + in : at(s, sent.first);
    if (is_narrow) narrow(at(s, sent.first), sent.end - sent.first, (uint16_t *)(s->room + in));
    s->is_sent = s->is_received = 0;
    check(ranks, mpi->irecv(to, (int)in, mpi->byte, other, s->tag, mpi->comm, &s->receive));
    check(ranks, mpi->isend(from, (int)out, mpi->byte, other, s->tag, mpi->comm, &s->send));
    ranks->bytes += out;
}

static void add(const sum *s, part to) {
    const int64_t count = to.end - to.first;
    if (s->wire == FM_WIRE_BFLOAT16) add_bfloat16(at(s, to.first), (const uint16_t *)s->room, count);
    else if (s->wire == FM_WIRE_F64) {
        double *restrict a = at(s, to.first);
        const double *restrict b = (const double *)s->room;
        for (int64_t i = 0; i < count; i++) a[i] += b[i];
    } else {
        float *restrict a = at(s, to.first);
        const float *restrict b = (const float *)s->room;
        for (int64_t i = 0; i < count; i++) a[i] += b[i];
    }
}

static void end_round(const fm_ranks *ranks, sum *s) {
    const part received = received_in(ranks, s);
    if (kind_of(ranks, s) != ROUND_RETURN) add(s, received);
    else if (s->wire == FM_WIRE_BFLOAT16)
        widen((const uint16_t *)s->room, received.end - received.first, at(s, received.first));
    s->round++;
}

static int is_over(fm_ranks *ranks, uint64_t *request, int *was) {
    uint64_t status[STATUS_BYTES / 8];
    if (!*was) check(ranks, ranks->mpi.test(request, was, status));
    return *was;
}

/* ---- sums ---- */

/* As far as a sum can go without waiting; true if it is complete. */
static int go_on(fm_ranks *ranks, sum *s) {
    while (s->round < rounds_of(ranks, s) && !ranks->has_failed) {
        const int received = is_over(ranks, &s->receive, &s->is_received);
        if (!is_over(ranks, &s->send, &s->is_sent) || !received) return 0;
        end_round(ranks, s);
        if (s->round < rounds_of(ranks, s)) begin_round(ranks, s);
    }
    return 1;
}

static void progress(void *self) {
    fm_ranks *ranks = self;
    for (int i = 0; i < ranks->count; i++) go_on(ranks, &ranks->sums[(ranks->first + i) % MOST_SUMS]);
    while (ranks->count > 0 && go_on(ranks, &ranks->sums[ranks->first])) {
        ranks->first = (ranks->first + 1) % MOST_SUMS;
        ranks->count--;
    }
}

static void poll_now_and_then(fm_ranks *ranks) {
    const double every = 0.02, now = fm_seconds();
    if (ranks->poll == NULL || now - ranks->last_poll < every) return;
    ranks->last_poll = now;
    if (ranks->poll(ranks->poll_context)) ranks->has_failed = 1;
}

/* Other ranks may have to share this processor, so it is offered to them soon. */
static int wait_for(fm_ranks *ranks, int most) {
    enum { PATIENCE = 64 };
    const double start = fm_seconds();
    for (int i = 0; ranks->count > most && !ranks->has_failed; i++) {
        progress(ranks);
        if (i >= PATIENCE) {
            sched_yield();
            poll_now_and_then(ranks);
        }
    }
    ranks->waited += fm_seconds() - start;
    return !ranks->has_failed;
}

static int finish(void *self) { return wait_for(self, 0); }

static void halve(const fm_ranks *ranks, sum *s) {
    for (int level = 0; level < ranks->levels; level++) {
        const part all = s->has[level];
        const int64_t middle = all.first + (all.end - all.first) / 2;
        const int keeps_upper = ranks->mpi.rank >> level & 1;
        s->has[level + 1] = keeps_upper ? (part){middle, all.end} : (part){all.first, middle};
    }
}

static int make_room(sum *s, int64_t bytes) {
    if (bytes <= s->room_bytes) return 1;
    char *room = fm_alloc(bytes, 1);
    if (room == NULL) return 0;
    fm_free(s->room);
    s->room = room;
    s->room_bytes = bytes;
    return 1;
}

static int start_one(fm_ranks *ranks, void *values, int64_t count, fm_wire wire) {
    if (ranks->count == MOST_SUMS && !wait_for(ranks, MOST_SUMS - 1)) return 1; /* `finish` tells */
    sum *s = &ranks->sums[(ranks->first + ranks->count) % MOST_SUMS];
    /* of what is received and what is sent; both may be all, or halves that differ by one */
    if (!make_room(s, 2 * (count + 1) * wire_bytes(wire))) return 0;
    s->values = values;
    s->wire = wire;
    s->tag = ranks->tag = (ranks->tag + 1) % TAGS;
    s->is_long = count * wire_bytes(wire) > ranks->long_bytes;
    s->round = 0;
    s->has[0] = (part){0, count};
    halve(ranks, s);
    ranks->count++;
    begin_round(ranks, s);
    return 1;
}

static int start(void *self, void *values, int64_t count, fm_wire wire) {
    fm_ranks *ranks = self;
    const int64_t most = MOST_BYTES / element_bytes(wire);
    if (wire == FM_WIRE_BFLOAT16) fm_round_to_bfloat16(values, count);
    if (ranks->levels == 0 || ranks->has_failed) return 1;
    for (int64_t first = 0; first < count; first += most) {
        const int64_t left = count - first;
        if (!start_one(ranks, (char *)values + first * element_bytes(wire), left < most ? left : most, wire)) return 0;
    }
    progress(ranks);
    return 1;
}

/* ---- by number ---- */

fm_ranks *fm_ranks_new(const fm_mpi *mpi, fm_wire wire) {
    enum { LONG = 1 << 14 };
    fm_ranks *ranks = fm_alloc_zeroed(1, sizeof *ranks);
    if (ranks == NULL) return NULL;
    ranks->mpi = *mpi;
    ranks->long_bytes = LONG;
    while (1 << ranks->levels < mpi->ranks) ranks->levels++;
    ranks->reducer = (fm_reducer){ranks, mpi->rank, mpi->ranks, wire, start, progress, finish};
    return ranks;
}

void fm_ranks_free(fm_ranks *ranks) {
    if (ranks == NULL) return;
    for (int i = 0; i < MOST_SUMS; i++) fm_free(ranks->sums[i].room);
    fm_free(ranks);
}

void fm_ranks_set_poll(fm_ranks *ranks, fm_ranks_poll poll, void *context) {
    ranks->poll = poll;
    ranks->poll_context = context;
}

const fm_reducer *fm_ranks_reducer(const fm_ranks *ranks) { return &ranks->reducer; }
void fm_ranks_set_long(fm_ranks *ranks, int64_t bytes) { ranks->long_bytes = bytes; }

void fm_ranks_spent(fm_ranks *ranks, double *seconds, int64_t *bytes) {
    *seconds = ranks->waited;
    *bytes = ranks->bytes;
    ranks->waited = 0.0;
    ranks->bytes = 0;
}
