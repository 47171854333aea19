"""The reference's random numbers: known answers, places in a stream, distributions."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from fastmlp import reference as ref


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (
            [0xFFFFFFFF] * 4,
            (0xFFFFFFFF, 0xFFFFFFFF),
            [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
        ),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_known_answers(counter, key, expected):
    assert ref.philox4x32(counter, key).tolist() == expected


@pytest.mark.parametrize("element", [0, 15, 16, 63, 64, 1000, 2**36 + 77])
def test_every_element_has_its_place_in_a_block(element):
    seed, stream, step = 0x0123456789ABCDEF, 6, 9
    block, word = element // 64 * 16 + element % 16, element % 64 // 16
    counter = [block & 0xFFFFFFFF, block >> 32, step, stream]
    expected = ref.philox4x32(counter, (0x89ABCDEF, 0x01234567))[word]
    assert ref.random_u32([element], seed, stream, step)[0] == expected


def test_elements_do_not_depend_on_how_many_are_asked_for():
    np.testing.assert_array_equal(ref.uniform(1000, 7, 4)[:70], ref.uniform(70, 7, 4))
    for other in [(8, 4, 0), (7, 5, 0), (7, 4, 1), (7 + 2**32, 4, 0)]:
        assert (ref.uniform(70, *other) != ref.uniform(70, 7, 4, 0)).all()


def test_uniform_and_normal_moments():
    u, z = ref.uniform(20000, seed=1, stream=0), ref.normal(20000, seed=1, stream=1)
    assert 0.0 < u.min() < u.max() < 1.0
    assert abs(u.mean() - 0.5) < 0.01
    assert abs(u.var() - 1.0 / 12.0) < 0.002
    assert abs(z.mean()) < 0.03
    assert abs(z.std() - 1.0) < 0.02


def test_inverse_normal_in_centre_tail_and_far_tail():
    u = np.array([1e-300, 1e-20, 2.0**-33, 0.01, 0.075, 0.3, 0.5, 0.6, 0.925, 0.99, 1 - 2.0**-33])
    expected = [NormalDist().inv_cdf(value) for value in u]
    np.testing.assert_allclose(ref.inverse_normal(u), expected, rtol=1e-14)
    # The symmetry from `min(u, 1 - u)`.
    np.testing.assert_array_equal(ref.inverse_normal(0.25), -ref.inverse_normal(0.75))


def test_dropout_mask_keeps_about_the_right_share():
    assert ref.dropout_mask(100, 0.0, 0, 2, 0).all()
    assert not ref.dropout_mask(100, 1.0, 0, 2, 0).any()
    mask = ref.dropout_mask(20000, 0.3, 0, 2, 0)
    assert mask.dtype == np.uint8
    assert abs(mask.mean() - 0.7) < 0.01


def test_permutation_holds_every_index_once():
    for n in (0, 1, 2, 65, 500):
        assert sorted(ref.permutation(n, seed=3, epoch=0)) == list(range(n))
    assert (ref.permutation(500, 3, 0) != ref.permutation(500, 3, 1)).any()
    assert (ref.permutation(500, 3, 0) != ref.permutation(500, 4, 0)).any()


def test_permutation_is_uniform():
    orders = [tuple(ref.permutation(3, seed, epoch=0)) for seed in range(1200)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert min(counts) > 150
    assert max(counts) < 250
