"""Where examples come from: data sets, feature files, splits, synthetic tasks."""
