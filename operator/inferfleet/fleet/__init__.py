"""Facts about one model and its surroundings, as values: what is, never what should be."""
