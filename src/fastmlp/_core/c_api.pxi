# The C API of csrc/fastmlp.h, as Cython sees it.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset


cdef extern from "base/reducer.h" nogil:
    ctypedef enum fm_wire:
        FM_WIRE_F32
        FM_WIRE_F64
        FM_WIRE_BFLOAT16

    ctypedef struct fm_reducer:
        void *self
        int rank
        int ranks
        fm_wire wire
        int (*start)(void *self, void *values, int64_t count,
                     fm_wire wire) noexcept nogil
        void (*progress)(void *self) noexcept nogil
        int (*finish)(void *self) noexcept nogil

cdef extern from "fastmlp.h" nogil:
    ctypedef enum fm_status:
        FM_OK
        FM_NO_MEMORY
        FM_BAD_ARGUMENT
        FM_UNKNOWN_ISA
        FM_UNSUPPORTED_ISA
        FM_INTERRUPTED
        FM_IN_USE
        FM_LOST
        FM_BAD_LABEL
        FM_BAD_INDEX
        FM_STALE
        FM_NOT_FINITE

    ctypedef enum fm_dtype:
        FM_F32
        FM_F64

    ctypedef enum fm_compute:
        FM_COMPUTE_STORAGE
        FM_COMPUTE_BFLOAT16

    ctypedef enum fm_op:
        pass

    enum: FM_OPS
    const char *fm_op_name(int op)
    int fm_op_find(const char *name)

    ctypedef enum fm_target:
        FM_TARGET_CLASS
        FM_TARGET_REAL
        FM_TARGET_QUANTILE
        FM_TARGET_FIELDS

    enum:
        FM_HYPERS
        FM_SLOTS

    ctypedef struct fm_activation_row:
        const char *name
        const char *params
        const char *formula
        const char *slope
        const char *init
        double tolerance[2]

    ctypedef struct fm_loss_row:
        const char *name
        const char *params
        fm_target target
        double tolerance[2]

    ctypedef struct fm_optimizer_row:
        const char *name
        const char *hyper
        int slots

    int fm_activation_count()
    int fm_loss_count()
    int fm_optimizer_count()
    const fm_activation_row *fm_activation_at(int kind)
    const fm_loss_row *fm_loss_at(int kind)
    int64_t fm_loss_target_cols(int kind, int64_t n, const double *params)
    const fm_optimizer_row *fm_optimizer_at(int kind)

    enum:
        FM_MOST_SOURCES
        FM_MOST_ENDS
        FM_NODE_PARAMS
        FM_NODE_SIZES

    ctypedef struct fm_node:
        fm_op op
        int n_sources
        int source[FM_MOST_SOURCES]
        int64_t fan_in
        int64_t fan_out
        int kind
        int bias
        double param[FM_NODE_PARAMS]
        int64_t size[FM_NODE_SIZES]
        int64_t n_list
        const int64_t *list

    ctypedef enum fm_role:
        FM_WEIGHT
        FM_BIAS
        FM_GAIN
        FM_SHIFT
        FM_TABLE
        FM_ALPHA
        FM_FREE

    ctypedef struct fm_array:
        int node
        const char *name
        fm_role role
        int64_t at
        int64_t rows
        int64_t cols

    ctypedef struct fm_csr:
        const int64_t *start
        const int32_t *column
        const void *value
        const int64_t *order

    ctypedef struct fm_net:
        pass

    ctypedef struct fm_ends:
        int n_inputs
        int n_outputs
        int64_t width[FM_MOST_ENDS]
        int output[FM_MOST_ENDS]
        fm_compute compute
        int separate
        int frozen

    fm_status fm_net_new(const fm_ends *ends, int n_nodes, const fm_node *nodes, fm_dtype dtype,
                         uint64_t seed, fm_net **out)
    void fm_net_free(fm_net *net)
    int64_t fm_net_parameters(const fm_net *net)
    const fm_node *fm_net_node(const fm_net *net, int index)
    void *fm_net_params(fm_net *net)
    void *fm_net_grads(fm_net *net)
    int fm_net_arrays(const fm_net *net)
    const fm_array *fm_net_array(const fm_net *net, int index)
    int64_t fm_net_state_at(const fm_net *net, int node)
    int fm_net_pass(const fm_net *net, int node)
    int64_t fm_net_state_size(const fm_net *net)
    void *fm_net_state(fm_net *net)
    uint32_t fm_net_step(const fm_net *net)
    void fm_net_set_step(fm_net *net, uint32_t step)
    ctypedef int (*fm_poll)(void *context) noexcept nogil
    fm_status fm_net_predict(fm_net *net, int64_t rows, const void *const *x, void *const *y,
                             fm_poll poll, void *context)
    int fm_net_takes_sparse(const fm_net *net)
    fm_status fm_net_predict_sparse(fm_net *net, int64_t rows, const fm_csr *x, void *const *y,
                                    fm_poll poll, void *context)
    fm_status fm_net_forward_sparse(fm_net *net, int64_t rows, const fm_csr *x, int training,
                                    void *const *y)
    fm_status fm_net_freeze(fm_net *net)
    fm_status fm_net_reserve(fm_net *net, int64_t rows)
    uint64_t fm_net_updates(const fm_net *net)
    void fm_net_set_trained(fm_net *net, int64_t begin, int64_t end, int trained)
    fm_status fm_net_forward(fm_net *net, int64_t rows, const void *const *x, int training,
                             void *const *y)
    fm_status fm_net_take(fm_net *net)
    void fm_net_give_back(fm_net *net)
    void fm_net_begin_update(fm_net *net)
    void fm_net_end_update(fm_net *net)
    fm_status fm_net_average(fm_net *target, const fm_net *source, double tau)
    int64_t fm_net_saved_rows(const fm_net *net)
    fm_status fm_net_backward(fm_net *net, int64_t rows, const void *const *dy, int accumulate,
                              void *const *dx)

    fm_status fm_net_vjp(fm_net *net, int64_t rows, const void *const *x, const void *const *dy,
                         void *const *y, void *const *dx, fm_poll ask, void *context)

    const void *fm_net_value(const fm_net *net, int node)
    const void *fm_net_delta(const fm_net *net, int node)

    ctypedef struct fm_custom_call:
        int node
        int64_t rows
        int training
        int keeps
        const void *x[FM_MOST_SOURCES]
        void *y
        const void *dy
        void *dx[FM_MOST_SOURCES]
        int add[FM_MOST_SOURCES]
        void *grads
        int add_grads

    ctypedef int (*fm_custom)(void *context, const fm_custom_call *call) noexcept nogil
    int64_t fm_net_workspace_bytes(fm_net *net)
    void fm_net_release(fm_net *net)
    void fm_net_set_custom(fm_net *net, fm_custom custom, void *context)

    ctypedef struct fm_loss_spec:
        int kind
        int mean
        int n_params
        const double *params
        int64_t fold

    ctypedef struct fm_targets:
        const int64_t *label
        const void *values
        int64_t cols
        const void *weight
        int own

    fm_status fm_loss(const fm_loss_spec *loss, fm_dtype dtype, int64_t rows, int64_t n,
                      const void *scores, const fm_targets *targets, double *value,
                      double *members, void *gradient)

    ctypedef struct fm_penalty:
        double p
        double lam

    ctypedef struct fm_optimizer_spec:
        int kind
        double hyper[FM_HYPERS]
        double clip_norm
        int n_penalties
        const fm_penalty *penalties

    ctypedef struct fm_head:
        fm_loss_spec loss
        double weight

    ctypedef struct fm_custom_loss_call:
        int64_t rows
        int64_t first
        const int64_t *order
        const void *scores[FM_MOST_ENDS]
        double value[FM_MOST_ENDS]
        void *gradient[FM_MOST_ENDS]

    ctypedef int (*fm_custom_loss)(void *context, fm_custom_loss_call *call) noexcept nogil

    ctypedef struct fm_trainer:
        pass

    fm_status fm_trainer_new(fm_net *net, const fm_head *heads,
                             const fm_optimizer_spec *optimizer, fm_trainer **out)
    void fm_trainer_free(fm_trainer *trainer)
    void fm_trainer_set_custom(fm_trainer *trainer, fm_custom_loss custom, void *context)
    void *fm_trainer_slot(fm_trainer *trainer, int slot)
    double *fm_trainer_powers(fm_trainer *trainer)
    int64_t *fm_trainer_updates(fm_trainer *trainer)

    ctypedef struct fm_group:
        int64_t end
        double lr
        double weight_decay

    fm_status fm_trainer_set_groups(fm_trainer *trainer, int n, const fm_group *groups)
    fm_status fm_trainer_set_heads(fm_trainer *trainer, const fm_head *heads)
    fm_status fm_trainer_set_optimizer(fm_trainer *trainer, const fm_optimizer_spec *optimizer)

    ctypedef enum fm_nan:
        FM_NAN_USE
        FM_NAN_SKIP
        FM_NAN_RAISE

    fm_status fm_trainer_set_shards(fm_trainer *trainer, int shards, const fm_reducer *ranks)
    void fm_trainer_set_nan(fm_trainer *trainer, fm_nan nan)
    int64_t fm_trainer_not_finite(const fm_trainer *trainer)

    ctypedef struct fm_totals:
        pass

    ctypedef struct fm_epoch:
        const void *x[FM_MOST_ENDS]
        fm_csr sparse
        fm_targets targets[FM_MOST_ENDS]
        int64_t rows
        int64_t fold
        const int64_t *order
        int64_t batch
        const double *lr
        const double *penalty
        const double *weight_decay
        const double *dropout
        const double *label_smoothing
        double *losses
        double *members
        fm_totals *totals
        fm_poll poll
        void *poll_context

    fm_status fm_train(fm_trainer *trainer, const fm_epoch *epoch, double *loss, int64_t *steps)
    fm_status fm_trainer_update(fm_trainer *trainer, double lr)
    fm_status fm_trainer_penalty(const fm_trainer *trainer, double *value)
    void fm_trainer_add_penalty_gradient(fm_trainer *trainer, double factor)
    fm_status fm_trainer_forward(fm_trainer *trainer, int64_t rows, const void *const *x,
                                 const fm_csr *sparse, void *const *y)
    fm_status fm_trainer_apply(fm_trainer *trainer, int64_t rows, const void *const *dy, double lr)
    int64_t fm_trainer_pending_rows(const fm_trainer *trainer)
    void fm_trainer_discard(fm_trainer *trainer)
    fm_status fm_trainer_gradient_norm(const fm_trainer *trainer, double *norm)

    ctypedef enum fm_distribution:
        FM_CATEGORICAL
        FM_GAUSSIAN
        FM_SQUASHED_GAUSSIAN

    ctypedef struct fm_actions:
        fm_distribution kind
        fm_dtype dtype
        int64_t rows
        int64_t n
        const void *scores
        const void *log_std
        int64_t score_step
        int64_t log_std_step
        const double *low
        const double *high
        void *action
        void *log_prob
        void *entropy

    ctypedef enum fm_choice:
        FM_DRAW
        FM_MODE
        FM_GIVEN

    fm_status fm_act(const fm_actions *actions, fm_choice choice, uint64_t seed, uint64_t first)
    int64_t fm_actions_drawn(const fm_actions *actions)

    int fm_isa_count()
    const char *fm_isa_name(int index)
    int fm_isa_supported(int index)
    fm_status fm_use_isa(const char *name)
    const char *fm_isa_in_use()
    bint fm_bfloat16_is_native()
    int fm_threads()
    int fm_process_threads()
    void fm_set_process_threads(int threads)
    int fm_override_threads(int threads)
    int fm_openmp_version()
    void fm_ignore_thread_cost(int ignore)
    void fm_force_stealing(int force)
    int fm_advised_threads(const fm_net *net, int64_t rows, int most)
    void fm_thread_costs(double *costs)
    void fm_force_ops(int force)
