"""Pictures of what a run found: the paper's figures and those that a report needs."""
