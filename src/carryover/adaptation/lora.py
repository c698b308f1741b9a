"""Low-rank additions to a network's linear and convolutional layers, by peft."""

from torch import nn

from carryover._core.errors import InputError
from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.plans import Lora
from carryover.models.patterns import matching
from carryover.models.seeding import seeded_torch

TRAINED = ("*.lora_*", "head.*")
_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def add_low_rank(network: AdaptedNetwork, lora: Lora, *, seed: int) -> tuple[str, ...]:
    """Add low-rank pairs to the encoder's layers in place; the patterns of what then trains: them and the head.

    The second factor starts at 0, so the network computes what it did.  The first is drawn from ``seed``.
    Raises InputError where no layer can have one and for a pattern that matches none.
    """
    from peft import LoraConfig, inject_adapter_in_model

    layers = [name for name, layer in network.encoder.named_modules() if isinstance(layer, _LAYERS)]
    if not layers:
        raise InputError(
            "the network has no linear or convolutional layer that a low-rank addition could go to"
        )
    chosen = matching(layers, lora.layers, what="linear or convolutional layer")
    # A whole name, as a regular expression: peft would take a list as endings of names.
    pattern = "|".join(name.replace(".", r"\.") for name in chosen)
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules=f"({pattern})")
    with seeded_torch(seed % 2**63):
        inject_adapter_in_model(config, network.encoder)
    return TRAINED
