"""What an encoder can be pretrained on, and the regularisers that can be added to it."""
