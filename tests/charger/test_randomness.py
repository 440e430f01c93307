"""Tokens and ids, of the system's generator or of a seed."""

from uuid import UUID

from nfcbridge.charger.randomness import SEED_LENGTH, SYSTEM, SeededRandomness, make_seed, make_uuid

LARGEST = 2 ** (8 * SEED_LENGTH) - 1


def test_a_seed_gives_the_same_octets_again() -> None:
    draws = [[source.octets(28, "memory:a") for _ in range(3)] for source in (SeededRandomness(7), SeededRandomness(7))]
    assert draws[0] == draws[1]
    assert len(set(draws[0])) == 3


def test_what_a_client_is_given_does_not_depend_on_others() -> None:
    alone, shared = SeededRandomness(7), SeededRandomness(7)
    first = [alone.octets(16, "memory:a"), alone.octets(16, "memory:a")]
    second = []
    for _ in range(2):
        second.append(shared.octets(16, "memory:a"))
        shared.octets(28, "127.0.0.1")
    assert first == second


def test_the_octets_are_those_of_the_formula() -> None:
    # printf '%032x%016x' 7 0 | xxd -r -p; then "memory:a": through openssl dgst -shake256 -xoflen 8
    assert SeededRandomness(7).octets(8, "memory:a").hex() == "0900eda5ec11d53b"


def test_other_seeds_give_other_octets() -> None:
    assert len({SeededRandomness(seed).octets(16, "") for seed in (0, 1, LARGEST)}) == 3


def test_a_seed_has_128_bits() -> None:
    seeds = {make_seed() for _ in range(50)}
    assert len(seeds) == 50
    assert max(seeds) <= LARGEST
    assert max(seeds) > 2**110


def test_ids_are_random_uuids_of_version_4() -> None:
    for source in (SYSTEM, SeededRandomness(1)):
        ids = {make_uuid(source, "memory:a") for _ in range(20)}
        assert len(ids) == 20
        assert {UUID(each).version for each in ids} == {4}
