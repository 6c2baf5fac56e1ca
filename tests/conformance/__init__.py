"""SciPy's own shipped tests, run with gpuconv's functions in SciPy's place."""
