"""`diagnose`: each symptom made on purpose is named. `check_neuron`: so is each broken promise."""

import copy
import math

import pytest
import torch
from torch import nn

from snn_docs import ALIF, IF, LI, LIF, CubaLIF, Heaviside, Recurrent, Sequential, data, encoding
from snn_docs.diagnosis import check_neuron, diagnose
from snn_docs.network import Network, max_potential, mean_potential
from snn_docs.surrogate import ArcTan, Surrogate, Triangle

DIGITS = data.digits()
LABELS = DIGITS.train_labels[:300]
INPUTS = encoding.direct(DIGITS.train_inputs[:300], 8)
SMOOTH = ArcTan()


def deep(neuron=None, *, scale=12**0.5, bias=0.0, layers=7):
    """Seven layers as on the page, of one neuron that stands behind each."""
    torch.manual_seed(0)
    neuron = neuron or IF(surrogate=SMOOTH)
    linears = [nn.Linear(64, 64) for _ in range(layers)]
    for linear in linears:
        linear.weight.data *= scale
        linear.bias.data += bias
    return Sequential(*(x for linear in linears for x in (linear, neuron)), nn.Linear(64, 10))


def said(network, inputs=INPUTS, labels=LABELS):
    return [symptom.seen for symptom in diagnose(network, inputs, labels).symptoms]


class TestWhatIsMeasured:
    def test_a_layer_of_which_each_number_is_known(self):
        """Of four neurons one never fires, one in each step, two for every second sample."""
        network = Sequential(nn.Linear(2, 4, bias=False), IF(0.5, surrogate=SMOOTH))
        network[0].weight.data = torch.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
        inputs = encoding.direct(torch.eye(2).repeat(2, 1), 5)
        labels = torch.tensor([0, 1, 0, 1])
        (layer,) = diagnose(network, inputs, labels).layers
        assert layer[:5] == ("1", "IF", 0.5, 0.25, 0.25)
        assert layer.readable == 1
        loss = nn.functional.cross_entropy(network(inputs).mean(0), labels)
        (expected,) = torch.autograd.grad(loss, network[0].weight)
        assert layer.gradient == pytest.approx(expected.norm().item())

    @pytest.mark.parametrize("count", [64, 128])
    def test_what_carries_nothing_of_the_labels_is_not_read(self, count):
        """What is told is not what the means were taken from: shuffled labels give chance."""
        torch.manual_seed(0)
        labels = LABELS[:count][torch.randperm(count)]
        found = diagnose(deep(), INPUTS[:, :count], labels)
        assert sum(layer.readable for layer in found.layers[:7]) / 7 < 0.16
        assert [symptom.seen for symptom in found.symptoms] == ["1層目から、答えが読めない"]

    @pytest.mark.parametrize("labels", [[0], [0, 1], [0, 0, 1], [2, 0, 0, 1, 1, 2, 2, 7]])
    def test_a_kind_that_one_sample_shows_is_not_told(self, labels):
        labels = torch.tensor(labels)
        inputs = encoding.direct(10 * torch.eye(10)[labels], 5)
        (layer,) = diagnose(Sequential(IF(surrogate=SMOOTH)), inputs, labels).layers
        alone = (labels.bincount() == 1).sum() if len(labels) > 1 else 0
        assert layer.readable == pytest.approx(1 - alone / len(labels))

    def test_networks_that_are_the_same_are_measured_alike_however_they_are_written(self):
        class ByRun(nn.Module):
            def __init__(self, given):
                super().__init__()
                self.linears = nn.ModuleList(given[:3:2])
                self.neurons = nn.ModuleList(given[1:4:2])

            def forward(self, x):
                for linear, neuron in zip(self.linears, self.neurons, strict=True):
                    x, _ = neuron.run(linear(x))
                return x.sum(0)

        class BySteps(ByRun):
            def forward(self, inputs):
                states, total = [None, None], 0
                for given in inputs:
                    x = given
                    for k in range(2):
                        x, states[k] = self.neurons[k].step(self.linears[k](x), states[k])
                    total = total + x
                return total

        torch.manual_seed(0)
        given = [
            nn.Linear(64, 32), LIF(leak=0.1, surrogate=SMOOTH),
            nn.Linear(32, 10), LIF(leak=0.1, surrogate=SMOOTH),
        ]  # fmt: skip
        network = Network([64, 32, 10], lambda: LIF(leak=0.1, surrogate=SMOOTH))
        for mine, theirs in zip(network.linears, given[::2], strict=True):
            mine.load_state_dict(theirs.state_dict())
        sequential = diagnose(Sequential(*given), INPUTS, LABELS, readout=lambda s: s.sum(0))
        for other in (network, ByRun(given), BySteps(given)):
            found = diagnose(other, INPUTS, LABELS)
            for mine, theirs in zip(found.layers, sequential.layers, strict=True):
                assert mine[2:] == pytest.approx(theirs[2:])

    def test_a_neuron_that_stands_at_seven_places_is_seven_layers(self):
        layers = diagnose(deep(), INPUTS, LABELS).layers
        assert len({layer.rate for layer in layers[:7]}) == 7
        assert [layer.kind for layer in layers] == ["IF"] * 7 + ["読み出し"]

    def test_what_does_not_fire_belongs_to_the_weights_behind_it(self):
        torch.manual_seed(0)
        network = Sequential(
            nn.Linear(64, 32), LIF(leak=0.1), Recurrent(ALIF(
                leak=0.1, adaptation=0.5, adaptation_leak=0.1), nn.Linear(32, 32)),
            nn.Linear(32, 10), LI(leak=0.1),
        )  # fmt: skip
        layers = diagnose(network, INPUTS, LABELS).layers
        assert [layer.kind for layer in layers] == ["LIF", "ALIF", "読み出し"]
        assert all(layer.gradient > 0 for layer in layers)

    def test_the_article_s_call_is_a_step(self):
        class Article(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear, self.neuron = nn.Linear(64, 10), IF(surrogate=SMOOTH)

            def forward(self, inputs):
                v = s = torch.zeros(inputs.shape[1], 10)
                total = 0
                for x in inputs:
                    current = self.linear(x)
                    s, v = self.neuron(v, current, s), current + v * (1 - s)
                    total = total + s
                return total

        torch.manual_seed(0)
        article = Article()
        network = Sequential(article.linear, IF(surrogate=SMOOTH))
        (mine,) = diagnose(article, INPUTS, LABELS).layers
        (theirs,) = diagnose(network, INPUTS, LABELS).layers
        assert mine[2:5] == theirs[2:5]
        assert mine.readable == theirs.readable

    def test_it_prints_as_a_table_with_symptoms_and_remedies(self):
        printed = str(diagnose(deep(scale=1.0, layers=3), INPUTS, LABELS)).splitlines()
        assert printed[0].split() == [
            "層", "名前", "発火率", "黙った", "鳴りっぱなし", "勾配", "読める",
        ]  # fmt: skip
        assert printed[4].startswith("4   読み出し  –")
        assert printed[5:] == [
            "・3層目から、答えが読めない",
            "  → まず学習させる。進まなければ、正規化、近道、重みの初期値",
        ]


class TestWhatIsLeft:
    def test_the_network_is_left_as_it_was(self):
        """Its gradients, its mode, the statistics of its normalisation, the state that it keeps."""

        class Keeps(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear, self.norm = nn.Linear(64, 10), nn.BatchNorm1d(10)
                self.neuron, self.drop = LIF(leak=0.1), nn.Dropout(0.5)
                self.state = None

            def forward(self, inputs):
                current = self.norm(self.linear(self.drop(inputs)).flatten(0, 1))
                spikes, self.state = self.neuron.run(current.view(8, -1, 10), self.state)
                return spikes.sum(0)

        torch.manual_seed(0)
        network = Keeps()
        network.norm.eval()
        network(INPUTS).sum().backward()
        kept, before = network.state, copy.deepcopy(network.state_dict())
        gradients = [parameter.grad.clone() for parameter in network.parameters()]
        random = torch.get_rng_state()
        with torch.no_grad():
            assert len(said(network)) > 0
        assert network.state is kept
        assert torch.equal(torch.get_rng_state(), random)
        torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)
        now = [parameter.grad for parameter in network.parameters()]
        torch.testing.assert_close(now, gradients, rtol=0, atol=0)
        assert network.training
        assert not network.norm.training
        assert not vars(network.neuron).keys() & {"run", "step", "record"}


class TestSymptoms:
    def test_a_healthy_network_has_none(self):
        assert said(deep(layers=4)) == []
        assert str(diagnose(deep(layers=4), INPUTS, LABELS)).endswith("症状は見つかりません。")

    def test_outputs_need_not_be_read_before_training(self):
        """The first network of the book, which learns well, has no symptom."""
        torch.manual_seed(0)
        network = Network([64, 64, 10], lambda: IF(surrogate=SMOOTH))
        assert said(network) == []
        hidden = Sequential(*network, nn.Linear(10, 10))  # of which the same layer is no output
        assert said(hidden) == ["2層目から、答えが読めない"]

    @pytest.mark.parametrize(("scale", "inputs"), [(1.0, 0.01), (0.01, 1.0)])
    def test_weak_inputs_or_weights_are_silent_from_the_first_layer(self, scale, inputs):
        found = diagnose(deep(scale=scale), inputs * INPUTS, LABELS)
        assert found.symptoms[-1].seen.startswith("1層目から、黙っている")
        assert found.symptoms[-1].remedy.startswith("入力か重みを大きくする")

    def test_outputs_that_are_silent_before_training_are_first_to_be_trained(self):
        """Three layers of LIF, which learn as well as others, are silent at the end at first."""
        torch.manual_seed(0)
        network = Network([64, 64, 64, 64, 10], lambda: LIF(leak=0.1))
        inputs = encoding.direct(DIGITS.train_inputs, 8)
        (found,) = diagnose(network, inputs, DIGITS.train_labels).symptoms
        assert found.seen.startswith("3層目から、黙っている")
        assert found.remedy.startswith("まず学習させる。進まなければ")

    def test_the_largest_potential_may_be_that_before_any_spike(self):
        torch.manual_seed(0)
        network = Sequential(nn.Linear(64, 64), LIF(leak=0.1), nn.Linear(64, 10), LI(leak=0.1))
        network[2].bias.data.fill_(-5.0)
        inputs = torch.cat([torch.zeros(1, len(LABELS), 64), INPUTS])
        found = diagnose(network, inputs, LABELS, max_potential)
        assert found.layers[-1].gradient == 0
        assert [symptom.seen for symptom in found.symptoms] == [
            "スパイクは標本ごとに違うのに、点数はどの標本でも同じ"
        ]
        assert "max_potential" in found.symptoms[0].remedy
        assert diagnose(network, inputs, LABELS, mean_potential).symptoms == ()

    def test_behind_a_silent_layer_there_is_no_gradient(self):
        zero, silent = said(deep(scale=0.3))
        assert zero == "黙った3層目の先で、重みの勾配が0"
        assert silent.startswith("2層目から、黙っている")

    def test_a_gradient_that_is_cut_is_not_that_of_silence(self):
        class Cut(nn.Module):
            def forward(self, x):
                return x.detach()

        torch.manual_seed(0)
        network = Sequential(nn.Linear(64, 64), IF(surrogate=SMOOTH), Cut(), nn.Linear(64, 10))
        found = diagnose(network, INPUTS, LABELS)
        seen, remedy = found.symptoms[0]
        assert seen == "1層目の重みの勾配が0"
        assert remedy.startswith("勾配を切ったところを探す")
        assert remedy.endswith("なければ、読み出しが最大（max_potential）でないかを見る")

    def test_neurons_that_fire_in_every_step(self):
        found = diagnose(deep(bias=9.0), INPUTS, LABELS)
        assert "毎ステップ発火する" in found.symptoms[-1].seen
        assert found.symptoms[-1].remedy == "入力の大きさかバイアスを下げる"

    def test_a_steep_slope_explodes_once_the_layers_are_awake(self):
        steep = IF(surrogate=ArcTan(4.0))
        (awake,) = diagnose(deep(steep, layers=5), INPUTS, LABELS).symptoms
        assert awake.seen.startswith("最初の重みの勾配が、最後の重みの")
        assert awake.remedy.startswith("代理勾配の傾きを下げる")
        first, _ = diagnose(deep(steep, scale=1.0), INPUTS, LABELS).symptoms
        assert first.seen == "代理勾配の傾き4が急で、黙った層がある"
        assert "学習率は、まだ上げない" in first.remedy

    def test_heaviside(self):
        found = diagnose(deep(IF(surrogate=Heaviside.apply)), INPUTS, LABELS)
        assert found.symptoms[0] == ("Heavisideを使っている", "ArcTanに替える")

    def test_a_state_that_is_carried_from_batch_to_batch(self):
        class Carries(nn.Module):
            def __init__(self, reset):
                super().__init__()
                self.linear, self.neuron = nn.Linear(64, 10), LIF(leak=0.01)
                self.state, self.reset = None, reset

            def forward(self, inputs):
                if self.reset:
                    self.state = None
                spikes, self.state = self.neuron.run(self.linear(inputs), self.state)
                return spikes.sum(0)

        torch.manual_seed(0)
        carried = "同じバッチを2度渡すと、違うスパイクになる。状態が持ち越されている"
        assert carried in said(Carries(reset=False))
        assert carried not in said(Carries(reset=True))

    def test_chance_within_a_network_is_no_carried_state(self):
        torch.manual_seed(0)
        network = Sequential(nn.Dropout(0.5), nn.Linear(64, 64), LIF(leak=0.1), nn.Linear(64, 10))
        assert said(network) == []

    @pytest.mark.parametrize("order", ["sorted", "backwards", "in blocks", "of one kind"])
    def test_data_that_is_not_shuffled(self, order):
        places = LABELS.argsort()
        if order == "backwards":
            places = places.flip(0)
        elif order == "in blocks":
            places = ((LABELS * 7) % 10).argsort()
        elif order == "of one kind":
            places = (LABELS == 3).nonzero().flatten()
        found = said(deep(), INPUTS[:, places], LABELS[places])
        assert found[0] == "正解が種類ごとに固まっている"


class Own(nn.Module):
    """A neuron as a reader writes one, whose threshold rises; by name, with one thing wrong."""

    def __init__(self, wrong=None):
        super().__init__()
        self.wrong = wrong
        self.surrogate = Slanted() if wrong == "derivative" else ArcTan()
        if wrong == "no surrogate":
            self.fires = self.__dict__.pop("surrogate")
        self.register_buffer("leak", torch.tensor(0.9), persistent=wrong != "not saved")
        if wrong == "plain tensor":
            self.rise = torch.tensor(0.5)
        self.kept = None

    def step(self, inputs, state=None):
        v, a = (torch.zeros_like(inputs),) * 2 if state is None else state
        fires = getattr(self, "surrogate", None) or self.fires
        if self.wrong == "another surrogate":
            fires = ArcTan()
        v = self.leak * v + inputs
        if self.wrong == "keeps a tensor":
            self.v = v
        if self.wrong == "mixes the samples":
            v = v + inputs.mean(0)
        above = v - 1 - 0.5 * a
        s = fires(above)
        if self.wrong == "no gradient":
            s = (above > 0).to(above)
        if self.wrong == "gradient":
            s = s + 0.1 * (above.detach() - above)
            s = (s - s.detach()) + (above > 0).to(s)
        v = v * (1 - s.detach() if self.wrong == "cut" else 1 - s)
        if self.wrong == "step alone":
            return s
        return s, (v, 0.8 * a + s)

    def run(self, inputs, state=None):
        record = []
        if self.wrong == "keeps its state" and state is None:
            state = self.kept
        for x in inputs:
            s, state = self.step(x, state)
            record.append(s)
        if self.wrong == "keeps its state":
            self.kept = state
        if self.wrong == "forgets its state":
            state = (torch.zeros_like(state[0]), state[1])
        spikes = torch.stack(record)
        if self.wrong == "run is late":
            spikes = spikes.roll(1, 0)
        if self.wrong == "gradient of run":
            spikes = spikes.detach() + 2 * (spikes - spikes.detach())
        return spikes, state


class Slanted(Surrogate):
    """A derivative that is not that of the smooth function."""

    def smooth(self, input_):
        return torch.sigmoid(4 * input_)

    def derivative(self, input_):
        return 1 / (1 + input_.square())


CONSTANTS = {"leak": 0.1}
ALL = {
    "IF": IF(), "LIF": LIF(**CONSTANTS), "LI": LI(**CONSTANTS),
    "ALIF": ALIF(**CONSTANTS, adaptation=0.5, adaptation_leak=0.05),
    "CubaLIF": CubaLIF(**CONSTANTS, synapse_leak=0.3),
    "Recurrent": Recurrent(LIF(**CONSTANTS), nn.Linear(4, 4)),
    "a reader's": Own(),
}  # fmt: skip


class TestANeuronOfOnesOwn:
    @pytest.mark.parametrize("name", ALL)
    def test_the_neurons_of_this_book_keep_their_promises(self, name):
        assert check_neuron(ALL[name]).count("同じ") == 4

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ("run is late", "step by step, and run: "),
            ("forgets its state", "step by step, and run: "),
            ("keeps its state", "run twice: "),
            ("keeps a tensor", "v is kept in the neuron.*return it in the state"),
            ("no gradient", "no gradient: a comparison.*by self.surrogate"),
            ("mixes the samples", "run with a sample alone, with which others must not mix: "),
            ("gradient of run", "the gradients of steps, and of run: "),
            ("cut", "not that of the equations.*detached=True"),
            ("another surrogate", "or spikes are not made by self.surrogate"),
            ("derivative", "derivative of Slanted"),
            ("no surrogate", "keep what makes spikes as self.surrogate"),
            ("not saved", "saved and loaded: "),
            ("plain tensor", r"rise is a tensor.*self.register_buffer\('rise'"),
        ],
    )
    def test_what_is_wrong_is_named(self, wrong, message):
        with pytest.raises(AssertionError, match=message):
            check_neuron(Own(wrong))

    def test_a_gradient_that_is_cut_on_purpose_is_said_to_be(self):
        assert "勾配: stepとrunで同じ" in check_neuron(Own("cut"), detached=True)
        rule = LIF(leak=0.1, detach_reset=True)
        assert "勾配: stepとrunで同じ" in check_neuron(rule, detached=True)

    @pytest.mark.parametrize("rest", [2, 0])
    def test_a_rest_after_each_spike_hides_the_gradient_of_what_follows(self, rest):
        """The smooth spike is never 0, so the smooth twin rests from its first step on."""

        class Rests(Own):
            def step(self, inputs, state=None):
                s, v, i, wait = state or (torch.zeros_like(inputs),) * 4
                wait = (wait - 1).clamp(min=0) + rest * s
                i = 0.7 * i.detach() + inputs  # the cut is a mistake
                v = 0.9 * v * (1 - s) + i * (wait == 0)
                s = self.surrogate(v - 1)
                return s, (s, v, i, wait)

        message = "set the rest to 0, and check again" if rest else "not that of the equations"
        with pytest.raises(AssertionError, match=message):
            check_neuron(Rests())

    @pytest.mark.parametrize("size", [0.0, 99.0])
    def test_inputs_that_prove_nothing_are_refused(self, size):
        message = f"from {size:g} to {size:g} all outputs are {int(size > 0)}, which proves.*give "
        with pytest.raises(AssertionError, match=message + ("smaller" if size else "larger")):
            check_neuron(Triangular(), torch.full((5, 2, 3), size))

    def test_the_neuron_is_left_as_it_was(self):
        neuron = Own()
        before = neuron.surrogate
        check_neuron(neuron)
        assert neuron.surrogate is before
        assert neuron.leak.dtype == torch.float32

    def test_a_method_that_is_missing_is_named_and_what_it_returns(self):
        class Steps(nn.Module):
            def step(self, inputs, state=None):
                return inputs, state

        message = r"a .*Steps without run came.*run\(.*\), which return \(outputs, state\)"
        with pytest.raises(TypeError, match=f"neuron must be a layer of neurons, but {message}"):
            check_neuron(Steps())
        with pytest.raises(TypeError, match=f"what neuron returns must be .* but {message}"):
            Network([3, 2], Steps)
        with pytest.raises(TypeError, match=f"layer 0 must be a layer of neurons, but {message}"):
            Sequential(Steps())(torch.ones(2, 1, 3))
        with pytest.raises(TypeError, match=f"neuron must be a layer of neurons, but {message}"):
            Recurrent(Steps(), nn.Linear(3, 3))

    def test_a_method_that_returns_no_pair_is_named(self):
        message = r"Own.step must return the pair \(outputs, state\).*but a torch.Tensor came"
        with pytest.raises(TypeError, match=message):
            check_neuron(Own("step alone"), torch.ones(1, 2, 3))


class Triangular(Own):
    def __init__(self):
        super().__init__()
        self.surrogate = Triangle()


def test_a_neuron_without_weights_before_it_has_no_gradient():
    (layer,) = diagnose(Sequential(IF()), torch.rand(8, 300, 10), LABELS).layers
    assert math.isnan(layer.gradient)
