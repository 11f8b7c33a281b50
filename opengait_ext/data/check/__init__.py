"""Parts that the checks of all datasets share.

This file imports nothing: every checking process imports the package, and torch would take seconds in each of them.
"""
