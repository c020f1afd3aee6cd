import sys

import torch
from torch.utils.data import DataLoader, TensorDataset

from snn_docs import LIF, data, fitting
from snn_docs.network import Network, count


class Matcher(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = Network([20, 512, 2], lambda: LIF(leak=0.1, reset="subtract"))

    def forward(self, inputs):
        spikes, _ = self.layers(inputs.transpose(0, 1))
        return count(spikes)


def loader(samples, *, shuffle=False):
    inputs, labels = data.delayed_match(samples, delay=10)
    pairs = TensorDataset(inputs.transpose(0, 1), labels)
    return DataLoader(pairs, batch_size=64, shuffle=shuffle)


torch.manual_seed(0)
training = loader(1024, shuffle=True)
validation = loader(512)
fitting.fit(Matcher(), training, validation, sys.argv[1], epochs=1)
