"""Networks: safe loading, backbones, streamed feature extraction (torch)."""
