"""Figures, the HTML report and the JSON record of a diagnosis."""
