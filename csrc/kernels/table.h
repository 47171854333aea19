/* The kernel table: the kernels of one ISA for one element type, and their tile sizes.

   There is one table for each ISA and storage type, and every table is complete. A kernel works on plain arrays on the
   calling thread: it knows no workspaces, threads or allocation. `void *` stands for arrays of the storage type.
   Matrices are row-major, and `ld*` is the distance between rows, in elements. Numbers of rows and columns may be zero.

   Storage type and compute type are separate: arrays have the table's type, and only matrix products have another
   type for their operands, a column of `product`. */
#ifndef FM_KERNELS_TABLE_H
#define FM_KERNELS_TABLE_H

#include <stdint.h>

#include "base/rng.h"
#include "base/status.h"
#include "kernels/registry.h"

typedef enum {
    FM_START_ZERO, /* each chain starts at 0 */
    FM_START_BIAS, /* ... at bias[j] */
    FM_START_C     /* ... at c[i][j]: continues the chain of an earlier part of k */
} fm_start;

typedef enum {
    FM_GEMM_STORE,
    FM_GEMM_ADD,      /* c += the complete chain */
    FM_GEMM_ACTIVATE, /* c = f(chain); the slopes to `aux` when the activation saves them and aux is given */
    FM_GEMM_BACKPROP  /* c = chain * local gradient, from what the activation saved in `aux` */
} fm_gemm_epilogue;

/* c[m][n] = epilogue(start + sum over ascending k of a[i][k] * b[k][j]); every element is one chain of fused
   multiply-adds. Element (i, k) of A is a[(i / mr) * a_panel + (i % mr) * a_row + k * a_step] with mr = tile_rows,
   so the same kernel reads A in place, transposed, or packed. Element (k, j) of B is b[(j / nr) * b_panel + k *
   b_step + j % nr]. */
typedef struct {
    int64_t m, n, k;
    const void *a;
    int64_t a_row, a_step, a_panel;
    const void *b;
    int64_t b_step, b_panel;
    void *c;
    int64_t ldc;
    const void *bias; /* (n), read by FM_START_BIAS */
    fm_start start;
    fm_gemm_epilogue epilogue;
    int activation; /* row of activations.def, for ACTIVATE and BACKPROP */
    const double *act_params;
    void *aux; /* (m, n) */
    int64_t ldaux;
    const void *residual; /* (m, n) added to the chains before the activation, or NULL */
    int64_t ldresidual;
    /* FM_COMPUTE_INT8, at the end of the chains: c = chain * row[i] * scale[j] + shift[j] in the storage type. `bias` is
       32-bit integers, and `k` counts words of four bytes. */
    const void *scale, *shift, *row; /* scale NULL: the chains go on; shift NULL: zeros */
} fm_gemm;

/* What becomes of the sums over the rows of a batch: they are stored; added to those that are there; or the chains that are
   there go on. The last takes at most FM_BATCH_CHUNK rows. */
typedef enum { FM_SUMS_STORE, FM_SUMS_ADD, FM_SUMS_GO_ON } fm_sums;

typedef enum { FM_JOIN_ADD, FM_JOIN_MULTIPLY, FM_JOIN_MAXIMUM } fm_join;

/* Columns of a batch and their moments. All matrices are (m, n) with rows ld apart; `rows` is the number of rows of
   the whole batch. */
typedef struct {
    int64_t m, n, ld, rows;
    double eps;
    const void *mean, *variance, *gain, *shift; /* (n) */
    const void *x;
    void *y, *normal;                        /* normal: (x - mean) / sqrt(variance + eps), or NULL if not needed */
    const void *dy, *dy_sum, *dy_normal_sum; /* (n) sums of dy and dy * normal over the rows; NULL: constant moments */
    void *dx;
    int add;
} fm_batch_norm;

/* Adds or stores to dx (m, n) the gradient of one operand of a join. The rows of dx, a and b are ldx apart. */
typedef struct {
    fm_join kind;
    int side; /* 0: dx belongs to a, 1: to b */
    int add;
    int64_t m, n;
    const void *a, *b; /* not read for FM_JOIN_ADD, and may be NULL then */
    const void *dy;
    int64_t ldy;
    void *dx;
    int64_t ldx;
} fm_join_back;

/* Losses of m rows of n scores, and their gradients. `fold` rows one behind another are the predictions of as many
   members; they share a target and a weight, or each row has its `own`. Exactly one of label (class ids) and target
   (target_cols columns) is set. */
typedef struct {
    int kind; /* row of losses.def */
    int64_t m, n, fold;
    int own;
    const void *scores;   /* (m, n) contiguous */
    const int64_t *label; /* (m / fold), or (m) if own; so target and weight */
    int64_t *wrong_label; /* receives a label that is not a class; then the results are meaningless */
    const void *target;   /* contiguous; target_cols divides n */
    int64_t target_cols;
    const void *weight;  /* or NULL */
    const double *scale; /* (fold) factor of every gradient: 1 / sum of weights; for elementwise means also 1 / n */
    const double *params;
    int n_params;
    double *value; /* (fold) arrays of m / fold numbers, value_step apart: weight * loss, not scaled */
    int64_t value_step;
    void *gradient; /* (m, n) or NULL */
} fm_loss_rows;

/* One optimizer update of n parameters. */
typedef struct {
    int kind; /* row of optimizers.def */
    int64_t n;
    void *w;
    const void *g;
    void *slot[FM_SLOTS];
    double lr;
    double hyper[FM_HYPERS];
    double power[2]; /* hyper[0]^t and hyper[1]^t, t counting this update */
    int64_t t;
    double g_scale; /* factor of g, for clipping by norm; 1 changes nothing */
} fm_update_rows;

/* dW (groups * in, out) of products side by side, from x (rows, groups * in) and delta (rows, groups * out); at most
   FM_BATCH_CHUNK rows. */
typedef struct {
    int64_t groups, in, out, rows;
    const void *x, *delta;
    int64_t x_row, delta_row; /* distances between their rows */
    fm_sums sums;
    void *dw;
} fm_groups_gradient;

/* The kernels of matrix products for one type of operands. Results, and the numbers that chains start from, have the
   storage type. A packed panel consists of words as large as an element. */
typedef struct {
    int terms;                /* the terms of a chain in a word; more than 1: both operands of `gemm` must be packed */
    int is_native;            /* has instructions for this type of operands */
    int tile_rows, tile_cols; /* mr, nr: the size of packed panels; nr is at most FM_MOST_TILE_COLS */
    int least_packed_rows;    /* products with fewer rows read B in place unless it is kept packed */

    void (*gemm)(const fm_gemm *); /* `k` and the strides of packed operands count words */
    /* c[i][j] = bias[j] + the lane sum of a[i][:] * bt[j][:], for layers with few outputs; bt is (n, k). */
    void (*dot)(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *bt, int64_t ldb, void *c,
                int64_t ldc, const void *bias);
    /* A row of few entries: c[j] = the chain that begins at start[j] (NULL: 0) and continues with value[t] *
       b[index[t]][j] for ascending t; and the same for layers with few outputs, by lane sums like `dot`, where entry t
       belongs to lane index[t] and w is (k, n). start may be c. */
    void (*sparse)(int64_t terms, const int32_t *index, const void *value, const void *b, int64_t ldb, int64_t n,
                   const void *start, void *c);
    void (*sparse_dot)(int64_t terms, const int32_t *index, const void *value, const void *w, int64_t n,
                       const void *bias, void *c);
    /* Products of groups with few columns, as `gemm_groups`: returns how many of the rows it has computed. Their gradient:
       returns 0 if there are too many columns. */
    int64_t (*narrow_groups)(const fm_gemm *g, int64_t groups);
    int (*narrow_gradient)(const fm_groups_gradient *g);
    /* Panels of nr columns, `panel` words apart, from the k x n matrix src: element (i, j) goes to the word dst[(j / nr)
       * panel + i / terms * nr + j % nr]. The last panel is padded with zeros. */
    void (*pack_b)(int64_t k, int64_t n, const void *src, int64_t ld, void *dst, int64_t panel);
    /* The same from the transposed: row i of src (n x k) is column first + i. There is no padding. */
    void (*pack_transposed)(int64_t n, int64_t k, const void *src, int64_t ld, int64_t first, void *dst, int64_t panel);
    /* Panels of mr rows: dst[words of k][mr], from a(i, k) = src[i * row + k * step]. If terms > 1 and step is 1, rows of
       words instead. */
    void (*pack_a)(int64_t m, int64_t k, const void *src, int64_t row, int64_t step, void *dst);
} fm_products;

typedef struct {
    const char *isa;
    int lanes;
    fm_products product[FM_COMPUTES]; /* columns other than FM_COMPUTE_STORAGE are for float32 */

    /* float32 only: bytes u = x * factor + zero, to the nearest and within 0 .. 255, in rows ldb bytes apart, each with
       room for a whole number of vectors. row[i]: NaN if there is one in the row, otherwise 1. */
    void (*quantize)(int64_t m, int64_t k, const void *x, int64_t ldx, double factor, double zero, void *bytes,
                     int64_t ldb, void *row);

    /* So many products side by side; `g` describes the first. The next one has the next k columns of A, k rows of B
       and n columns of C and what lies beside it. A and B are read in place. */
    void (*gemm_groups)(const fm_gemm *g, int64_t groups);

    void (*transpose)(int64_t rows, int64_t cols, const void *src, int64_t lds, void *dst, int64_t ldd);

    /* out[j] (+)= chains of the rows of x in ascending order, FM_BATCH_CHUNK rows a chain */
    void (*column_sums)(int64_t m, int64_t n, const void *x, int64_t ldx, void *out, fm_sums sums);

    void (*activate)(int kind, const double *params, int64_t m, int64_t n, const void *z, int64_t ldz, void *y,
                     int64_t ldy, void *slope, int64_t lds);
    void (*backprop)(int kind, const double *params, int64_t m, int64_t n, const void *saved, int64_t lds,
                     const void *dy, int64_t ldy, void *dz, int64_t ldz);
    /* y = z + alpha (f(z) - z), alpha (n). Unless they are NULL, `local` receives dy/dz and `change` dy/dalpha. All
       matrices have rows ld apart. */
    void (*parametric)(int kind, const double *params, int64_t m, int64_t n, int64_t ld, const void *z,
                       const void *alpha, void *y, void *local, void *change);
    /* c = a + b, a * b, or the larger (of equal ones, the first) */
    void (*join)(fm_join kind, int64_t m, int64_t n, const void *a, int64_t lda, const void *b, int64_t ldb, void *c,
                 int64_t ldc);
    void (*join_gradient)(const fm_join_back *);
    /* y = x * gain + shift, each rounded; gain and shift (n), shift may be NULL; rows of x and y are ld apart */
    void (*scale)(int64_t m, int64_t n, int64_t ld, const void *x, const void *gain, const void *shift, void *y);
    void (*copy)(int64_t m, int64_t n, const void *x, int64_t ldx, void *y, int64_t ldy);
    /* y[j] = x[0] in each row */
    void (*repeat)(int64_t m, int64_t n, const void *x, int64_t ldx, void *y, int64_t ldy);
    /* y[j] = x[index[j]] in each row, and its gradient dx[index[j]] += dy[j] in ascending j; n columns of y */
    void (*gather)(int64_t m, int64_t n, const int64_t *index, const void *x, int64_t ldx, void *y, int64_t ldy);
    void (*scatter_add)(int64_t m, int64_t n, const int64_t *index, const void *dy, int64_t ldy, void *dx, int64_t ldx);
    /* y[j] = the largest of the `pieces` elements x[j + p * step] (of equal ones, the first); y has n columns */
    void (*maxout)(int64_t m, int64_t n, int64_t pieces, int64_t step, const void *x, int64_t ldx, void *y,
                   int64_t ldy);
    void (*maxout_gradient)(int64_t m, int64_t n, int64_t pieces, int64_t step, const void *x, int64_t ldx,
                            const void *dy, int64_t ldy, void *dx, int add);
    void (*softmax)(int64_t m, int64_t n, const void *z, int64_t ldz, void *y, int64_t ldy);
    void (*softmax_backward)(int64_t m, int64_t n, const void *y, const void *dy, void *dz); /* contiguous */
    /* y = x * mask / (1 - p) for elements first .. first + n of the mask's numbering; and its gradient. `kept` receives
       the mask: 1 or 0 for each element. */
    void (*dropout)(const fm_rng *rng, double p, int64_t first, int64_t n, const void *x, void *y, uint8_t *kept);
    void (*dropout_gradient)(double p, int64_t n, const uint8_t *kept, const void *dy, void *dx);

    /* y[r] = the lane sum of x[r][:], contiguous; its gradient: dx[r][:] (+)= dy[r] */
    void (*row_sums)(int64_t m, int64_t n, const void *x, void *y);
    void (*row_sums_gradient)(int64_t m, int64_t n, const void *dy, void *dx, int add);
    /* Contiguous rows. normal (m, n) and scale (m) are stored for the gradient; NULL if there will be none. */
    void (*layer_norm)(int64_t m, int64_t n, double eps, const void *x, const void *gain, const void *shift, void *y,
                       void *normal, void *scale);
    void (*layer_norm_gradient)(int64_t m, int64_t n, const void *normal, const void *scale, const void *gain,
                                const void *dy, void *dx, int add);
    void (*column_moments)(int64_t m, int64_t n, const void *x, int64_t ldx, void *mean, void *variance);
    void (*column_dots)(int64_t m, int64_t n, const void *x, int64_t ldx, const void *y, int64_t ldy, void *out,
                        fm_sums sums);
    void (*batch_norm)(const fm_batch_norm *);
    void (*batch_norm_gradient)(const fm_batch_norm *);
    void (*running_moments)(int64_t n, int64_t rows, double momentum, const void *mean, const void *variance,
                            void *running_mean, void *running_variance);

    void (*loss)(const fm_loss_rows *);
    void (*update)(const fm_update_rows *);
    /* penalties on weights: L1 (p = 1), L2 (p = 2) or any p: the lane sum of |w|^p, and g += lam * p * |w|^(p-1) sign w */
    double (*penalty)(double p, int64_t n, const void *w);
    void (*penalty_gradient)(double p, double lam, int64_t n, const void *w, void *g);
    void (*average)(int64_t n, double tau, const void *x, void *mean); /* mean = (1 - tau) mean + tau x */
    double (*sum)(int64_t n, const void *x);                           /* lane sum */
    double (*sum_squares)(int64_t n, const void *x);
    uint64_t (*stamp)(int64_t n, const void *x); /* a number that another array of as many elements hardly has */
} fm_kernels;

/* The same for every table, so that a workspace stays usable after a change of ISA. */
enum { FM_MOST_TILE_COLS = 64 };

/* The rows of a batch are summed in chunks of this many (docs/numerics.md): a chain in each chunk, totals in order. */
enum { FM_BATCH_CHUNK = 1024 };

/* The tables of one ISA, one for each storage type. */
typedef const fm_kernels *const *fm_tables;

/* The tables in use: the choice of fm_use_isa, or the best ones for the processor. Another thread may change the
   choice at any time, so a call reads it once and passes it to all its workers. */
fm_tables fm_tables_in_use(void);

int fm_isa_count(void);             /* ISAs in this build */
const char *fm_isa_name(int index); /* NULL outside 0 .. count - 1 */
int fm_isa_supported(int index);    /* by this processor */
fm_status fm_use_isa(const char *name);
const char *fm_isa_in_use(void);
int fm_bfloat16_is_native(void); /* the ISA in use has instructions for it; others compute the same without */

#endif
