"""Parameters that a loss reads and does not depend on."""
