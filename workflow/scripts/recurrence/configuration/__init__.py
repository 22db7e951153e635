"""The configuration of a run: typed blocks, rules about several keys, and messages about mistakes.

Code here computes no number, and the values are parameters of Snakemake's rules. So it does not count in
:func:`recurrence.fingerprints.fingerprint`.
"""
