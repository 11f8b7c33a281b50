"""Checks of a whole data set that list everything that is wrong, where the data readers stop at the first thing.

Nothing is imported here: every checking process does, and torch would cost each of them seconds.
"""
