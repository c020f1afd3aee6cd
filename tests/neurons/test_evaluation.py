"""`interval` and `cross_validate`: how far an accuracy can be trusted."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_checks import reproducible

from snn_docs.data import Recordings
from snn_docs.evaluation import cross_validate, interval

counts = st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


class TestInterval:
    @given(counts)
    @reproducible
    def test_its_ends_are_where_the_share_is_196_standard_errors_away(self, pair):
        """Wilson's definition: the error of the end, not of what was measured."""
        right, total = pair
        low, high = interval(right, total)
        share = right / total
        assert 0 <= low <= share + 1e-12
        assert share - 1e-12 <= high <= 1
        for end in (low, high):
            error = 1.96 * (end * (1 - end) / total) ** 0.5
            assert abs(share - end) == pytest.approx(error, rel=1e-6, abs=1e-6)

    def test_wrong_and_right_answers_mirror_each_other(self):
        low, high = interval(3, 20)
        assert interval(17, 20) == pytest.approx((1 - high, 1 - low))


PART = [(torch.tensor(float(k)), k % 3) for k in range(30)]


def seen(part):
    return [int(x) for x, _ in part]


class TestCrossValidation:
    def test_each_sample_is_answered_once_by_what_has_not_learnt_it(self):
        answered = []

        def build(learn):
            learnt = seen(learn)

            def answer(held):
                answered.extend(seen(held))
                assert not set(learnt) & set(seen(held))
                assert len(learnt) + len(held) == 30
                return torch.tensor([k % 3 for k in seen(held)])

            return answer

        assert cross_validate(build, PART) == [(6, 6)] * 5
        assert sorted(answered) == list(range(30))

    def test_each_part_has_each_class_alike(self):
        def build(learn):
            labels = torch.tensor([label for _, label in learn])
            assert labels.bincount().tolist() == [8, 8, 8]
            return lambda held: torch.zeros(len(held))

        assert cross_validate(build, PART) == [(2, 6)] * 5

    def test_groups_are_not_torn_apart(self):
        person = [k // 6 for k in range(30)]

        def build(learn):
            known = {person[k] for k in seen(learn)}

            def answer(held):
                assert not known & {person[k] for k in seen(held)}
                return torch.zeros(len(held))

            return answer

        found = cross_validate(build, PART, groups=person)
        assert sorted(found) == [(2, 6)] * 5

    def test_each_part_tells_its_own_answers(self):
        """The spread over the parts is what a sum hides."""

        def build(learn):
            bad = len(parts) == 0
            parts.append(learn)
            return lambda held: torch.tensor([int(label) + bad for _, label in held])

        parts: list = []
        assert cross_validate(build, PART, folds=3) == [(0, 10), (10, 10), (10, 10)]

    def test_a_seed_gives_one_split_and_another_seed_another(self):
        def held_first(seed):
            found = []
            cross_validate(
                lambda _: lambda held: found.append(seen(held)) or torch.zeros(len(held)),
                PART,
                seed=seed,
            )
            return found

        assert held_first(0) == held_first(0) != held_first(1)

    @pytest.mark.parametrize("groups", [None, range(9)])
    def test_a_class_of_fewer_samples_than_folds_is_named(self, groups):
        part = [(k, int(k > 6)) for k in range(9)]
        message = "each class must have folds, 3, samples or more, but class 1 has 2; "
        with pytest.raises(ValueError, match=message):
            cross_validate(lambda _: len, part, folds=3, groups=groups)

    def test_recordings_are_to_be_numbered(self):
        one = torch.ones(5, dtype=torch.int64)
        records = Recordings(torch.ones(3, 5, 2), one, one, ["nod"], [])
        message = r"Recordings came; .* list\(enumerate\(records.labels.tolist\(\)\)\)"
        with pytest.raises(TypeError, match=message):
            cross_validate(lambda _: len, records)
