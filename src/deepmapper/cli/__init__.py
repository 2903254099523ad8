"""The command `deepmapper`: one module for each of its commands, and what they share. Nothing imports it.

May use: everything below.
"""
