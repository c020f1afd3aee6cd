"""`minimize`: the loop of the first network, bit for bit; what it returns, and what it refuses."""

import pytest
import torch
from fit_checks import one_thread  # noqa: F401 - a fixture
from torch.nn.functional import cross_entropy

from snn_docs import LI, LIF, Sequential
from snn_docs.fitting import RunError, minimize

SAMPLES = 50  # the last batch is smaller


def made():
    """Return a network and its data, and torch's generator, the same each time."""
    torch.manual_seed(0)
    linears = torch.nn.Linear(3, 8), torch.nn.Linear(8, 2)
    network = Sequential(linears[0], LIF(leak=0.1), linears[1], LI(leak=0.1))
    inputs, labels = torch.randn(6, SAMPLES, 3), torch.arange(SAMPLES) % 2
    torch.manual_seed(1)
    return network, inputs, labels


def loss_of(network, inputs, labels):
    return lambda chosen: cross_entropy(network(inputs[:, chosen]).mean(0), labels[chosen])


def by_hand(network, inputs, labels, epochs=3):
    """Train as the pages do; return the losses of all samples in each epoch."""
    loss_function, epochs_losses = loss_of(network, inputs, labels), []
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(epochs):
        losses = []
        for chosen in torch.randperm(SAMPLES).split(16):
            loss = loss_function(chosen)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses += [loss.item()] * len(chosen)
        epochs_losses.append(losses)
    return epochs_losses


def weights(network):
    return torch.cat([each.detach().flatten() for each in network.parameters()])


def minimized(network, inputs, labels, epochs=3):
    loss = loss_of(network, inputs, labels)
    return minimize(loss, network.parameters(), SAMPLES, epochs=epochs, batch=16, lr=5e-3)


class TestAfterEachEpoch:
    def test_it_sees_all_losses_so_far_and_may_end_the_loop(self):
        network, *data = made()
        seen = []

        def second(losses):
            seen.append(list(losses))
            return len(losses) == 2

        loss = loss_of(network, *data)
        losses = minimize(loss, network.parameters(), SAMPLES, epochs=5, on_epoch=second)
        assert seen == [losses[:1], losses]

    def test_what_returns_nothing_ends_nothing(self):
        network, *data = made()
        loss = loss_of(network, *data)
        losses = minimize(loss, network.parameters(), SAMPLES, epochs=3, on_epoch=lambda _: None)
        assert len(losses) == 3


class TestTheLoop:
    def test_the_same_bits_as_by_hand(self):
        (ours, *data), (theirs, *_) = made(), made()
        minimized(ours, *data)
        drawn = torch.rand(3)
        torch.manual_seed(1)
        by_hand(theirs, *data)
        assert torch.equal(weights(ours), weights(theirs))
        assert torch.equal(drawn, torch.rand(3))  # and the generator is where it would be

    def test_returns_the_mean_over_the_samples(self):
        (ours, *data), (theirs, *_) = made(), made()
        losses = minimized(ours, *data)
        torch.manual_seed(1)
        expected = [sum(each) / SAMPLES for each in by_hand(theirs, *data)]
        assert losses == pytest.approx(expected, rel=1e-12)

    def test_what_is_frozen_stays(self):
        network, *data = made()
        network[0].requires_grad_(requires_grad=False)
        before = [each.clone() for each in network.parameters()]
        minimized(network, *data)
        moved = [
            not torch.equal(now, old) for now, old in zip(network.parameters(), before, strict=True)
        ]
        assert moved == [False, False, True, True]


class TestRefusals:
    def test_an_explosion_tells_the_epoch_and_leaves_the_weights_before_it(self):
        weight, sizes, kept = torch.ones((), requires_grad=True), iter([1.0, 2.0, torch.inf]), []

        def loss(_):
            kept.append(weight.item())
            return weight * next(sizes)

        with pytest.raises(RunError, match="the loss is inf in epoch 3: the inputs are not"):
            minimize(loss, [weight], 4, epochs=9, batch=4)
        assert len(set(kept)) == 3
        assert weight.item() == kept[-1]
