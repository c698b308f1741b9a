"""A network replaced by its tangent: linear in the weights, so that any trainer can train in the lazy regime."""

from torch import Tensor, nn
from torch.func import jvp

from carryover._core.errors import InputError
from carryover.models.frozen import frozen, outputs


class LinearizedNetwork(nn.Module):
    """f_lin(x; theta) = f(x; theta_0) + J(x) (theta - theta_0): inputs (n, ...) to outputs (n, K).

    ``network`` is taken over: its parameters become theta, the ones to train, and keep their names below
    ``network.``; theta_0 is a copy of their values now, held in buffers.  One forward-mode derivative gives f and
    J (theta - theta_0) together, and its backward pass the gradient by theta: J(x)^T times the gradient by the
    outputs, whatever theta is.  Batch norm uses its stored statistics and dropout does nothing, in training mode too.
    Reference: Jacot, Gabriel, Hongler, NeurIPS 2018; Lee et al., NeurIPS 2019, eq. 4.
    Raises InputError for a network without parameters and, when called, for outputs that are not (n, K)
    and operations without a forward-mode derivative.

    >>> import torch
    >>> line = LinearizedNetwork(nn.Linear(2, 1, bias=False))  # linear already: nothing changes
    >>> _ = nn.init.ones_(line.network.weight)
    >>> line(torch.tensor([[2.0, 3.0]])).detach().round()
    tensor([[5.]])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._names = tuple(name for name, _ in network.named_parameters())
        if not self._names:
            raise InputError("a network without parameters has no tangent")
        for position, (_, weight) in enumerate(network.named_parameters()):
            self.register_buffer(f"start_{position}", weight.detach().clone())

    def start(self) -> dict[str, Tensor]:
        """theta_0 by the network's own names."""
        return {name: getattr(self, f"start_{position}") for position, name in enumerate(self._names)}

    def forward(self, inputs: Tensor) -> Tensor:
        start, now = self.start(), dict(self.network.named_parameters())
        change = {name: now[name] - start[name] for name in self._names}
        with frozen(self.network):
            try:
                value, slope = jvp(
                    lambda weights: outputs(self.network, weights, inputs), (start,), (change,)
                )
            except NotImplementedError as error:
                first = str(error).strip().splitlines()[0]
                raise InputError(f"the network cannot be linearised: {first}") from error
        return value + slope
