"""Model optimisation: networks that restyle in one pass, their training and their export. Needs torch."""
