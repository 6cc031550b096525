"""The comparisons of `make bench`: this project beside its rivals, on this machine, in one run."""
