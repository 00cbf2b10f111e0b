"""The prover: linear forms, what is known of a value, the rules, and the walk over a jaxpr."""
