"""The primitives: the few verbs all else is written with, once in array-API calls and again per engine."""
