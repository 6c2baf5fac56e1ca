"""How a convolution is carried out: every method is a file with the same three functions.

``why_not(problem)`` gives None or the sentence against it, ``estimate(problem)`` its cost, memory and error bound, and
``prepare(problem, estimate, weights, result)`` a function ``(x, cval)`` that does it with primitives. `plan` compares
the estimates.
"""
