"""Which score finds the best checkpoint with few labels."""
