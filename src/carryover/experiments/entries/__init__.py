"""Named experiments: they prepare inputs, run the library, and keep rows."""
