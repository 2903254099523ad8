"""Every fault of a configuration and its inputs before any job, and what would run. Uses the rules' own functions.

May use: `workflow`, `transfer`, `differential`, `features`, `reads`, `io`, `core`.
"""
