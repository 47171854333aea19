# The process: instruction set, threads, quotas, failures of memory, random numbers.

def _isas(bint supported=True):
    names = []
    for i in range(fm_isa_count()):
        if not supported or fm_isa_supported(i):
            names.append(fm_isa_name(i).decode())
    return names


def use_isa(str name, str argument="isa"):
    """Choose the kernel table by name; errors call the name `argument`."""
    cdef bytes text = name.encode()
    cdef fm_status status = fm_use_isa(text)
    if status == FM_UNKNOWN_ISA:
        built = ", ".join(_isas(supported=False))
        raise ArgumentError(f"{argument}: got {name!r}; want one of {built}")
    if status == FM_UNSUPPORTED_ISA:
        raise ArgumentError(
            f"{argument}: got {name!r}; want one that this processor runs: {', '.join(_isas())}"
        )


def config():
    """The ISA in use, available ISAs, bfloat16, threads, OpenMP version and compiler."""
    return {
        "isa": fm_isa_in_use().decode(),
        "isas": _isas(),
        "bfloat16": "native" if fm_bfloat16_is_native() else "emulated",
        "threads": fm_threads(),
        "openmp": fm_openmp_version(),
        "compiler": FM_COMPILER.decode(),
    }


def set_num_threads(int n):
    fm_set_process_threads(n)


def get_num_threads():
    return fm_threads()


def scoped_threads(int n):
    """Set the calling thread's override (0: none) and return the previous one."""
    return fm_override_threads(n)


def cgroup_cpus(str root):
    """For tests: CPUs that the control groups under `root` allow; 0: no limit."""
    return fm_cgroup_cpus(root.encode())


def usable_cpus(str root=""):
    """For tests: CPUs that affinity and the control groups under `root` allow."""
    return fm_usable_cpus(root.encode())


def read_cores(str root, processors):
    """For tests: the cores of some processors, and how many are performance cores."""
    cdef fm_cpu_set allowed
    cdef fm_topology topology
    memset(&allowed, 0, sizeof(allowed))
    for processor in processors:
        if not 0 <= processor < FM_MOST_PROCESSORS:
            raise ValueError(f"processors: got {processor}; want below {FM_MOST_PROCESSORS}")
        fm_add_cpu(&allowed, processor)
    fm_read_topology(root.encode(), &allowed, &topology)
    cdef fm_cores cores = fm_count_cores(&topology, &allowed)
    return cores.all, cores.fast


def cache_bytes(int level):
    """For tests: the cache size that the engine works with, of level 1 to 3."""
    return fm_cache_bytes(level)


def read_cache_bytes(str root, int processor, int level):
    """For tests: a cache size from the files under `root`; 0: unknown."""
    return fm_read_cache_bytes(root.encode(), processor, level)


def fail_allocation(int64_t n):
    """For tests: the n-th request for memory from now and all later ones fail; 0 switches this off.

    Returns the number of requests that were left until the failure set before, or -1 if that
    failure has happened.
    """
    return fm_fail_allocation(n)


def ignore_thread_cost(bint ignore):
    """For tests: use all allowed threads, even if that is slower."""
    fm_ignore_thread_cost(ignore)


def thread_costs():
    """For benchmarks: what threads cost on this machine, measured at the first use."""
    cdef double costs[4]
    fm_thread_costs(costs)
    return {"region": 1e-6 * costs[0], "barrier": 1e-6 * costs[1], "flops": 1e6 * costs[2]}


def trace_work(call, int workers, int intervals):
    """For benchmarks: seconds of processor time of each worker between the barriers of `call`."""
    seconds = np.zeros((workers, intervals))
    fm_trace_work(<double *>data(seconds), workers, intervals)
    try:
        call()
    finally:
        fm_trace_work(NULL, 0, 0)
    return seconds


def force_stealing(bint force):
    """For tests: in every step, threads take work from each other, in the smallest pieces."""
    fm_force_stealing(force)


def force_ops(bint force):
    """For tests: in every step, threads divide the rows and columns of each operation."""
    fm_force_ops(force)


# ---- random numbers ----

def random_uniform(int64_t n, uint64_t seed, uint32_t stream, uint32_t step=0):
    cdef fm_rng rng = fm_rng_make(seed, stream, step)
    out = np.empty(n, np.float64)
    fm_random_uniform(&rng, n, <double *>data(out))
    return out


def random_normal(int64_t n, uint64_t seed, uint32_t stream, uint32_t step=0):
    cdef fm_rng rng = fm_rng_make(seed, stream, step)
    out = np.empty(n, np.float64)
    fm_random_normal(&rng, n, <double *>data(out))
    return out


def dropout_mask(int64_t n, double p, uint64_t seed, uint32_t stream, uint32_t step):
    cdef fm_rng rng = fm_rng_make(seed, stream, step)
    out = np.empty(n, np.uint8)
    fm_random_keep(&rng, n, p, <uint8_t *>data(out))
    return out


def permutation(int64_t n, uint64_t seed, uint32_t epoch):
    out = np.empty(n, np.int64)
    cdef int64_t *order = <int64_t *>data(out)
    with nogil:
        fm_permutation(seed, epoch, n, order)
    return out
