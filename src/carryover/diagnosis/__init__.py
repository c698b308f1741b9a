"""The main job on one page: features, measures, bounds, verdict."""
