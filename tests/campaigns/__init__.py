"""Campaigns: many random faults against one promise; each module is a script, with a short form as a test."""
