"""From which count on a feature is detected. Standard library only."""

# Fragments. Programs that divide fragments between transcripts give fractions of a fragment, down to 0.001, to
# transcripts that nothing speaks for. Less than this rounds to no fragment at all.
DETECTED_FROM = 0.5
