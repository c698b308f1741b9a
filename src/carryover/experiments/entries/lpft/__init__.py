"""Kumar et al. (2022): LP-FT and fine-tuning where there is no data."""
