# The base class of policies: observations in, actions and their probabilities out.

cdef extern from *:
    """
    /* Two threads that share a policy never draw with the same random numbers. */
    static inline uint64_t fm_fetch_add(uint64_t *at, uint64_t n) {
        return __atomic_fetch_add(at, n, __ATOMIC_RELAXED);
    }
    """
    uint64_t fm_fetch_add(uint64_t *at, uint64_t n)


cdef object vector_of(const Rows *rows, int typenum, void **to):
    """A number for each row: an array of the leading dimensions."""
    cdef cnp.npy_intp shape[MOST_DIMS]
    cdef int i
    for i in range(rows.ndim - 1):
        shape[i] = rows.shape[i]
    array = cnp.PyArray_SimpleNew(rows.ndim - 1, shape, typenum)
    to[0] = data(array)
    return array


cdef inline object number_at(const void *at, int typenum):
    return (<const float *>at)[0] if typenum == cnp.NPY_FLOAT32 else (<const double *>at)[0]


cdef void last_columns(const void *matrix, int64_t rows, int64_t width, int typenum,
                       void *to) noexcept:
    cdef fm_elements elements
    cdef int64_t size = 4 if typenum == cnp.NPY_FLOAT32 else 8
    elements.type = FM_FROM_F32 if typenum == cnp.NPY_FLOAT32 else FM_FROM_F64
    elements.start = <const char *>matrix + (width - 1) * size
    elements.rows, elements.cols, elements.row_step, elements.col_step = rows, 1, width * size, 0
    fm_convert(&elements, dtype_for(typenum), to)


cdef class Actor:
    """The base class of policies: `act` runs no Python for what is commonly passed.

    A subclass binds its networks, and defines `_act_checked(obs, deterministic)` and
    `_evaluate_checked(obs, actions)` for all other arguments.
    """
    cdef Predictor scorer, critic
    cdef fm_distribution kind
    cdef int scores_at, log_std_at, value_at
    cdef int64_t n  # classes, or elements of an action
    cdef object own_log_std, low, high
    cdef uint64_t number, count

    def _bind_policy(self, Predictor scorer, Predictor critic, int kind, int64_t n,
                     int scores_at, int log_std_at, int value_at, log_std, low, high,
                     uint64_t seed):
        """`*_at` are outputs of the scorer; -1: none.

        Without an output for it, `log_std` is an array (n,), or None if it follows the means in
        their output. The value may be the last column of the scores. The critic is another
        network, or None. `low` and `high` (n,) are float64.
        """
        self.scorer, self.critic = scorer, critic
        self.kind, self.n = <fm_distribution>kind, n
        self.scores_at, self.log_std_at, self.value_at = scores_at, log_std_at, value_at
        self.own_log_std, self.low, self.high, self.number = log_std, low, high, seed

    @property
    def seed(self):
        """The seed of the random numbers, as given or as drawn."""
        return self.number

    @property
    def drawn(self):
        """How many random numbers `act` has used; the next action depends on it."""
        return self.count

    @drawn.setter
    def drawn(self, uint64_t value):
        self.count = value

    cdef int compute(self, const Rows *rows, void **x, void **y, void *value) except -1:
        """Run the networks; returns FM_OK or FM_BAD_INDEX."""
        cdef fm_csr sparse
        cdef int status
        sparse.start = NULL
        status = self.scorer.bound.compute(rows.count, x, &sparse, y)
        if status == FM_OK and self.critic is not None:
            status = self.critic.bound.compute(rows.count, x, &sparse, &value)
        return status

    cdef int describe_actions(self, fm_actions *to, const Rows *rows, void **y) except -1:
        """Point at the scores in the network's outputs."""
        cdef Net net = self.scorer.bound
        cdef int64_t width = net.widths_out[self.scores_at], size
        size = 4 if net.typenum == cnp.NPY_FLOAT32 else 8
        to.kind, to.dtype, to.rows, to.n = self.kind, dtype_for(net.typenum), rows.count, self.n
        to.scores, to.score_step = y[self.scores_at], width
        to.low, to.high = <const double *>data(self.low), <const double *>data(self.high)
        if self.log_std_at >= 0:
            to.log_std, to.log_std_step = y[self.log_std_at], self.n
        elif self.own_log_std is not None:
            check_vector("log_std", self.own_log_std, self.n, net.typenum)
            to.log_std, to.log_std_step = data(self.own_log_std), 0
        else:
            to.log_std, to.log_std_step = <char *>to.scores + self.n * size, width
        return 0

    cdef object take_actions(self, fm_actions *to, object actions, const Rows *rows, Space *space):
        """The given actions of the rows; returns what keeps them, None if they need validation."""
        cdef int64_t *label = NULL
        cdef Rows found
        if self.kind == FM_CATEGORICAL:
            if rows.ndim > 2:
                return None
            if rows.ndim == 1:
                actions = (actions,)
            kept = take_labels(&label, actions, rows.count, self.n, space)
            to.action = label
            return kept
        kept = take_rows(&found, actions, self.n, self.scorer.bound.typenum, space)
        if kept is None or not have_same_leading(rows, &found):
            return None
        to.action = found.start
        return kept

    cdef object acted(self, object obs, object actions, fm_choice choice):
        """The tuple of `act`, or of `evaluate` if actions are given; None: needs the validation."""
        cdef double memory[SPACE_DOUBLES]
        cdef double number[4]  # action, log_prob, entropy, value of a single row
        cdef Space space
        cdef Rows rows
        cdef fm_actions a
        cdef void *x[FM_MOST_ENDS]
        cdef void *y[FM_MOST_ENDS]
        cdef void *to_value = &number[3]
        cdef Net net = self.scorer.bound
        cdef int k, typenum = net.typenum
        cdef bint single, has_value = self.value_at >= 0 or self.critic is not None
        cdef bint wants_entropy = choice == FM_GIVEN and self.kind != FM_SQUASHED_GAUSSIAN
        space.next, space.left = <char *>memory, sizeof(memory)
        of_obs = self.scorer.take_inputs(&rows, x, obs, &space)
        if of_obs is None:
            return None
        single = rows.ndim == 1
        value = vector_of(&rows, typenum, &to_value) if has_value and not single else None
        of_scores = []
        for k in range(len(net.widths_out)):
            if k == self.value_at and k != self.scores_at:
                y[k] = to_value
                continue
            one = room(&y[k], &space, rows.count, net.widths_out[k], typenum)
            if one is not True:
                of_scores.append(one)
        self.describe_actions(&a, &rows, y)
        if choice == FM_GIVEN:
            action = self.take_actions(&a, actions, &rows, &space)
            if action is None:
                return None
        elif self.kind != FM_CATEGORICAL:
            action = empty_rows(&rows, self.n, typenum)
            a.action = data(action)
        elif single:
            a.action, action = &number[0], None
        else:
            action = vector_of(&rows, cnp.NPY_INT64, &a.action)
        a.log_prob, a.entropy = &number[1], &number[2] if wants_entropy else NULL
        log_prob = None if single else vector_of(&rows, typenum, &a.log_prob)
        entropy = vector_of(&rows, typenum, &a.entropy) if wants_entropy and not single else None
        if self.compute(&rows, x, y, to_value) != FM_OK:
            return None
        if self.value_at == self.scores_at:
            last_columns(y[self.scores_at], rows.count, net.widths_out[self.scores_at], typenum,
                         to_value)
        self.check_act(fm_act(&a, choice, self.number, self.first(&a, choice)))
        if single:
            if choice != FM_GIVEN and self.kind == FM_CATEGORICAL:
                action = (<int64_t *>&number[0])[0]
            log_prob = number_at(&number[1], typenum)
            entropy = number_at(&number[2], typenum) if wants_entropy else None
            value = number_at(&number[3], typenum) if has_value else None
        return (log_prob, entropy, value) if choice == FM_GIVEN else (action, log_prob, value)

    cdef uint64_t first(self, const fm_actions *a, fm_choice choice) noexcept:
        return fm_fetch_add(&self.count, fm_actions_drawn(a)) if choice == FM_DRAW else 0

    cdef int check_act(self, fm_status status) except -1:
        if status == FM_BAD_ARGUMENT:
            raise ArgumentError("obs: got scores from the network that are no distribution (NaN or "
                                "infinite); want finite ones")
        return check(status)

    def _acted(self, obs, actions, bint deterministic):
        """The tuple of `act` or `evaluate`, for validated arguments."""
        cdef fm_choice choice = FM_MODE if deterministic else FM_DRAW
        found = self.acted(obs, actions, choice if actions is None else FM_GIVEN)
        if found is None:
            raise changed("obs", obs, "rows")
        return found

    def act(self, obs, deterministic=False):
        """Choose actions, and compute their probabilities and the values of the observations.

        Parameters
        ----------
        obs : array_like, shape (in_features,) or (..., in_features)
            One observation, or a batch of them, as for ``net.predict``.
        deterministic : bool
            Whether to take the most likely action, without random numbers.

        Returns
        -------
        action : int, or ndarray of int64 (...), or ndarray (..., n)
            A class, or an action of ``n`` numbers in the network's dtype.
        log_prob : float or ndarray, shape (...)
            The logarithm of the action's probability, or of its density.
        value : float or ndarray, shape (...)
            The value of the observation; None without a value head.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If ``obs`` does not fit, or the network's scores are NaN or infinite.

        Notes
        -----
        A batch gives the same bits as its rows, one after another.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(4, 2, init="zeros"))
        >>> action, log_prob, value = fm.Policy(net, seed=0).act([0.1, 0.0, 0.2, 0.0])
        >>> action in (0, 1), round(log_prob, 4), value
        (True, -0.6931, None)
        """
        found = None
        if deterministic is False:
            found = self.acted(obs, None, FM_DRAW)
        elif deterministic is True:
            found = self.acted(obs, None, FM_MODE)
        return self._act_checked(obs, deterministic) if found is None else found

    def evaluate(self, obs, actions):
        """Compute the probabilities of given actions.

        Parameters
        ----------
        obs : array_like, shape (in_features,) or (..., in_features)
        actions : array_like
            As ``act`` returns them.

        Returns
        -------
        log_prob : float or ndarray, shape (...)
        entropy : float or ndarray, shape (...)
            Of the distributions; None for squashed ones, whose entropy has no formula.
        value : float or ndarray, shape (...)
            None without a value head.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If shapes, types or values do not fit.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(4, 2, init="zeros"))
        >>> log_prob, entropy, value = fm.Policy(net).evaluate([[0.1, 0.0, 0.2, 0.0]], [1])
        >>> log_prob.astype(float).round(4).tolist(), entropy.astype(float).round(4).tolist()
        ([-0.6931], [0.6931])
        """
        found = self.acted(obs, actions, FM_GIVEN)
        return self._evaluate_checked(obs, actions) if found is None else found
