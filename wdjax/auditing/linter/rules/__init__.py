"""The rules of the linter, by subject."""
