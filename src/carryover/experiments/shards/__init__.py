"""Feature extraction in shards: their spec, the sums of each, and the measures of all rows from them."""
