"""Random numbers as a pure function of (seed, stream, step, element).

Philox4x32-10 is a block cipher used as a generator: with a key of two 32-bit words, it turns a
counter of four words into four random words. It has no state: any element can be computed at any
time, in any order, on any thread, with the same value.

The key is the seed. Sixteen blocks make 64 consecutive elements: first the first words of all
blocks, then the second words, ... In this order, vector registers of any width hold adjacent
elements.

Streams: node ``n`` of a network uses ``4n`` for weights, ``4n + 1`` for the bias, ``4n + 2`` for
its dropout mask; ``0xFFFFFFFF`` shuffles, ``0xFFFFFFFE`` splits.

Sources: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox); Wichura 1988,
algorithm AS 241 (normal quantile).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import Array, as_float

SHUFFLE_STREAM = 0xFFFFFFFF
SPLIT_STREAM = 0xFFFFFFFE

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)


def philox4x32(counter: ArrayLike, key: tuple[int, int]) -> NDArray[np.uint32]:
    """Ten rounds of Philox on counters (..., 4) under one key; returns words (..., 4).

    Examples
    --------
    >>> [hex(word) for word in philox4x32([0, 0, 0, 0], (0, 0)).tolist()]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    words = np.asarray(counter, dtype=np.uint64)
    c0, c1, c2, c3 = (words[..., i] for i in range(4))
    for number in range(10):
        k0, k1 = (
            np.uint64((k + number * s) & 0xFFFFFFFF) for k, s in zip(key, _KEY_STEPS, strict=True)
        )
        product0, product1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> _WORD) ^ c1 ^ k0,
            product1 & _LOW,
            (product0 >> _WORD) ^ c3 ^ k1,
            product0 & _LOW,
        )
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def random_u32(elements: ArrayLike, seed: int, stream: int, step: int = 0) -> NDArray[np.uint32]:
    """Return the random words of the elements with these indices, (n,), of a stream at a step.

    Parameters
    ----------
    elements : indices >= 0
    seed : 0 <= seed < 2**64
    stream, step : 0 <= each < 2**32

    Examples
    --------
    >>> random_u32([0, 16, 1], seed=0, stream=0)  # 0 and 16: two words of the same block
    array([1713891541, 3781805453, 4175744164], dtype=uint32)
    """
    e = np.asarray(elements, dtype=np.uint64)
    block = e // np.uint64(64) * np.uint64(16) + e % np.uint64(16)
    word = e % np.uint64(64) // np.uint64(16)
    counter = np.empty((*e.shape, 4), dtype=np.uint64)
    counter[..., 0], counter[..., 1] = block & _LOW, block >> _WORD
    counter[..., 2], counter[..., 3] = step, stream
    output = philox4x32(counter, (seed & 0xFFFFFFFF, seed >> 32))
    return np.take_along_axis(output, word.astype(np.intp)[..., np.newaxis], axis=-1)[..., 0]


def uniform(n: int, seed: int, stream: int, step: int = 0) -> Array:
    """``n`` uniform numbers in the open interval (0, 1): ``(u32 + 1/2) * 2^-32``.

    Examples
    --------
    >>> uniform(3, seed=0, stream=0).round(4)
    array([0.399 , 0.9722, 0.0194])
    """
    words = random_u32(np.arange(n), seed, stream, step).astype(np.float64)
    return (words + 0.5) * 2.0**-32


def normal(n: int, seed: int, stream: int, step: int = 0) -> Array:
    """``n`` standard normal numbers: `inverse_normal` of `uniform`.

    Examples
    --------
    >>> normal(3, seed=0, stream=0).round(4)
    array([-0.2558,  1.9148, -2.0653])
    """
    return inverse_normal(uniform(n, seed, stream, step))


# AS 241, PPND16: numerators and denominators, highest power first.
_CENTRE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
     4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
     1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
     2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
     4.2313330701600911252e1, 1.0),
)  # fmt: skip
_TAIL = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
     1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
     4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
     1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
     2.05319162663775882187e0, 1.0),
)  # fmt: skip
_FAR_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
     2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
     5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
     7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
     5.99832206555887937690e-1, 1.0),
)  # fmt: skip


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], r: Array) -> Array:
    numerator, denominator = coefficients
    return np.polyval(numerator, r) / np.polyval(denominator, r)


def inverse_normal(u: ArrayLike) -> Array:
    """The z with Phi(z) = u, for 0 < u < 1; relative error about 1e-16.

    Source: Wichura 1988, AS 241, routine PPND16.

    Examples
    --------
    >>> inverse_normal([0.5, 0.975]).round(4)
    array([0.  , 1.96])
    """
    u = as_float(u)
    q = u - 0.5
    r = np.sqrt(-np.log(np.minimum(u, 1.0 - u)))
    tail = np.where(r <= 5.0, _ratio(_TAIL, r - 1.6), _ratio(_FAR_TAIL, r - 5.0))
    centre = q * _ratio(_CENTRE, 0.180625 - q * q)
    return np.where(np.abs(q) <= 0.425, centre, np.copysign(tail, q))


def dropout_mask(n: int, p: float, seed: int, stream: int, step: int) -> NDArray[np.uint8]:
    """1 for each of ``n`` elements that dropout of probability ``p`` keeps, 0 for the others.

    An element is kept when its random word is at least ``floor(p * 2^32)``.

    Examples
    --------
    >>> dropout_mask(8, 0.5, seed=0, stream=2, step=0)
    array([1, 1, 1, 0, 0, 0, 1, 1], dtype=uint8)
    """
    threshold = int(p * 2.0**32)
    kept = random_u32(np.arange(n), seed, stream, step) >= np.uint64(threshold)
    return kept.astype(np.uint8)


def permutation(n: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """A random order of 0..n-1 for an epoch: the shuffle of Fisher & Yates.

    Position ``i``, from the last to the second, swaps with ``j = u32 * (i + 1) >> 32``, which is
    in 0..i.

    Examples
    --------
    >>> permutation(5, seed=0, epoch=0)
    array([0, 4, 1, 3, 2])
    """
    words = random_u32(np.arange(n), seed, SHUFFLE_STREAM, epoch).tolist()
    order = list(range(n))
    for i in range(n - 1, 0, -1):
        j = words[i] * (i + 1) >> 32
        order[i], order[j] = order[j], order[i]
    return np.array(order, dtype=np.int64)
