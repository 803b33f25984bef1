"""Image transformation networks and style predictors as torch modules."""
