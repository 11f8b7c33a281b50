"""What the checks of all datasets share.

Nothing is imported here: every checking process imports this package, and torch would take seconds in each of them.
"""
