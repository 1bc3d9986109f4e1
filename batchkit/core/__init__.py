"""Floor 1: values, arithmetic and names that every other room uses; the clock is passed in."""
