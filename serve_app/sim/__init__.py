"""REPLAY: a virtual clock drives the same core objects that decide in the gateway.

An hour of traffic takes seconds, and the same seed gives the same numbers.
"""
