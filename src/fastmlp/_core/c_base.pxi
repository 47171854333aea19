# Functions of csrc/base that Python uses, mostly in tests.

cdef extern from "base/rng.h" nogil:
    ctypedef struct fm_rng:
        pass

    fm_rng fm_rng_make(uint64_t seed, uint32_t stream, uint32_t step)
    void fm_random_uniform(const fm_rng *rng, int64_t n, double *out)
    void fm_random_normal(const fm_rng *rng, int64_t n, double *out)
    void fm_random_keep(const fm_rng *rng, int64_t n, double p, uint8_t *out)
    void fm_permutation(uint64_t seed, uint32_t epoch, int64_t n, int64_t *out)


cdef extern from "base/convert.h" nogil:
    ctypedef enum fm_number:
        FM_FROM_BOOL
        FM_FROM_INT8
        FM_FROM_UINT8
        FM_FROM_INT16
        FM_FROM_UINT16
        FM_FROM_INT32
        FM_FROM_UINT32
        FM_FROM_INT64
        FM_FROM_UINT64
        FM_FROM_F32
        FM_FROM_F64

    ctypedef struct fm_elements:
        const char *start
        fm_number type
        int64_t rows
        int64_t cols
        int64_t row_step
        int64_t col_step

    void fm_convert(const fm_elements *elements, fm_dtype dtype, void *to)
    void fm_convert_whole(const fm_elements *elements, int64_t *to)


cdef extern from "base/aligned_alloc.h" nogil:
    int64_t fm_fail_allocation(int64_t n)


cdef extern from "base/quota.h" nogil:
    int fm_cgroup_cpus(const char *root)
    int fm_usable_cpus(const char *root)


cdef extern from "base/topology.h" nogil:
    ctypedef struct fm_cpu_set:
        pass
    ctypedef struct fm_topology:
        pass
    ctypedef struct fm_cores:
        int all
        int fast
    enum:
        FM_MOST_PROCESSORS
    void fm_add_cpu(fm_cpu_set *set, int processor)
    void fm_read_topology(const char *root, const fm_cpu_set *set, fm_topology *topology)
    fm_cores fm_count_cores(const fm_topology *topology, const fm_cpu_set *set)
    int64_t fm_cache_bytes(int level)
    int64_t fm_read_cache_bytes(const char *root, int processor, int level)


cdef extern from "base/work_trace.h" nogil:
    void fm_trace_work(double *seconds, int workers, int intervals)
