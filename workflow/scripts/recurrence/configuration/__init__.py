"""The configuration of a run: typed blocks, rules about keys together, and what is said about mistakes.

Code here computes no number: what it lets through is in the parameters of the rules. So it does not count in
:func:`recurrence.fingerprints.fingerprint`.
"""
