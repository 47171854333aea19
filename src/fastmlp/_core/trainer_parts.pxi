# What trainers are made from, and settings that can be changed.

cdef class _TrainerHandle:
    """Owns the C trainer, and keeps its network alive."""
    cdef fm_trainer *trainer
    cdef _NetHandle net

    def __dealloc__(self):
        fm_trainer_free(self.trainer)


_NANS = {"ignore": FM_NAN_USE, "warn": FM_NAN_USE, "skip": FM_NAN_SKIP, "raise": FM_NAN_RAISE}

# Counts the changes of settings of losses, optimizers and penalties. A trainer reads its settings
# again if this is not what it was.
cdef int64_t settings_version = 0


def settings_have_changed():
    """Make every trainer read its settings again before its next step."""
    global settings_version
    settings_version += 1


cdef object read_optimizer(fm_optimizer_spec *spec, tuple optimizer, list penalties,
                           double clip_norm):
    """Fill the C form of an optimizer; return what must stay alive while C reads it."""
    pairs = np.array(penalties, np.float64)  # (exponent, lambda) each
    kind, hyper = optimizer
    spec.kind = kind
    for i in range(FM_HYPERS):
        spec.hyper[i] = hyper[i] if i < len(hyper) else 0.0
    spec.clip_norm = clip_norm
    spec.n_penalties = len(penalties)
    spec.penalties = <const fm_penalty *>data(pairs)
    return pairs


cdef class TrainerParts:
    """A network, losses and an optimizer with its state."""
    cdef _TrainerHandle handle
    cdef fm_trainer *trainer
    cdef int kinds[FM_MOST_ENDS]  # the loss of each output
    cdef int64_t folds[FM_MOST_ENDS]  # the number of its members
    cdef list losses  # their descriptions
    cdef _Runners runners
    cdef readonly Net net
    cdef readonly list state
    cdef readonly object powers
    cdef Ranks ranks  # which the core uses
    cdef object groups  # a function that returns the parameter groups
    cdef int64_t groups_version
    cdef object pending_sparse  # the rows of a forward pass that awaits `apply`
    cdef public double lr
    cdef readonly int64_t steps_done

    def __init__(self, Net net, list heads, tuple optimizer, list penalties, double clip_norm,
                 groups=None):
        """`heads`: for each output, the description of its loss, or an OwnLoss, and its weight.

        `groups()` returns the parameter groups, each as (end, factor of the learning rate, factor
        of weight decay). It is called now, and again before the first update after a change of
        `net.groups_version`.
        """
        if self.handle is not None:
            raise StateError("this core trainer has been made already")
        cdef fm_optimizer_spec spec
        cdef fm_head head[FM_MOST_ENDS]
        cdef void *slot
        self.net = net
        self.runners = _Runners([], net.typenum)
        self.read_heads(head, heads)
        keeps = read_optimizer(&spec, optimizer, penalties, clip_norm)
        self.handle = _TrainerHandle()
        self.handle.net = net.handle
        check(fm_trainer_new(net.net, head, &spec, &self.handle.trainer))
        self.trainer = self.handle.trainer
        fm_trainer_set_custom(self.trainer, run_custom_loss, <void *>self.runners)
        self.lr = 1e-3
        self.state = []
        for i in range(FM_SLOTS):
            slot = fm_trainer_slot(self.trainer, i)
            if slot != NULL:
                self.state.append(view(self.handle, slot, net.params.size, net.typenum))
        self.powers = view(self.handle, fm_trainer_powers(self.trainer), 2, cnp.NPY_FLOAT64)
        self.groups = groups
        self.set_groups()

    cdef int read_heads(self, fm_head *head, list heads) except -1:
        """Fill the C form of the heads, and keep what it points to."""
        specs, own = [], []
        for i, (loss, weight) in enumerate(heads):
            is_own = isinstance(loss, OwnLoss)
            if is_own and loss not in own:
                own.append(loss)
            spec = _LossSpec(*((-1, (), loss.reduction) if is_own else loss))
            specs.append(spec)
            head[i].loss, head[i].weight = (<_LossSpec>spec).spec, weight
            self.kinds[i], self.folds[i] = head[i].loss.kind, head[i].loss.fold
        self.losses, self.runners.run = specs, own
        return 0

    def set_heads(self, list heads):
        """Take other losses from the next step on."""
        cdef fm_head head[FM_MOST_ENDS]
        self.net.enter()
        try:
            self.read_heads(head, heads)
            check(fm_trainer_set_heads(self.trainer, head))
        finally:
            self.net.leave()

    def set_optimizer(self, tuple optimizer, list penalties, double clip_norm):
        """Take other settings from the next step on; False if they need other state arrays."""
        cdef fm_optimizer_spec spec
        keeps = read_optimizer(&spec, optimizer, penalties, clip_norm)
        self.net.enter()
        cdef fm_status status = fm_trainer_set_optimizer(self.trainer, &spec)
        self.net.leave()
        if status == FM_BAD_ARGUMENT:
            return False
        check(status)
        return True

    def set_shards(self, int shards, Ranks ranks=None):
        """Cut each batch into so many parts, whose gradients are added in a fixed tree.

        With `ranks`, each of them computes with its own parts.
        """
        cdef const fm_reducer *reducer = NULL if ranks is None else ranks.reducer()
        self.net.enter()
        cdef fm_status status = fm_trainer_set_shards(self.trainer, shards, reducer)
        self.ranks = ranks
        self.net.leave()
        check(status)

    def set_nan(self, str mode):
        """Choose what steps do whose loss is not finite."""
        fm_trainer_set_nan(self.trainer, <fm_nan><int>_NANS[mode])

    @property
    def not_finite(self):
        """Number of steps of the last call whose loss, or own gradient, was not finite."""
        return fm_trainer_not_finite(self.trainer)

    @property
    def t(self):
        """Number of updates so far."""
        return fm_trainer_updates(self.trainer)[0]

    @t.setter
    def t(self, int64_t value):
        self.net.enter()
        fm_trainer_updates(self.trainer)[0] = value
        self.net.leave()

    cdef int set_groups(self) except -1:
        """Read the current groups."""
        self.groups_version = self.net.groups_version
        if self.groups is None:
            return 0
        found = self.groups()
        cdef cnp.ndarray packed = np.zeros(len(found) * sizeof(fm_group), np.uint8)
        cdef fm_group *group = <fm_group *>cnp.PyArray_DATA(packed)
        for i, (end, lr, weight_decay) in enumerate(found):
            group[i].end = end
            group[i].lr = lr
            group[i].weight_decay = weight_decay
        check(fm_trainer_set_groups(self.trainer, len(found), group))
        return 0

    cdef int enter(self) except -1:
        """Take the network, and read its groups if they have changed."""
        self.net.enter()
        if self.groups_version == self.net.groups_version:
            return 0
        try:
            self.set_groups()
        except BaseException:
            self.groups_version = -1
            self.net.leave()
            raise
        return 0
