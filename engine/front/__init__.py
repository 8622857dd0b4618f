"""From weights and costs to a front: limits, evolution, predictors, what is measured."""
