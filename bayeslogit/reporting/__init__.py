"""Sections of the report on a fit: each room makes the blocks of one section out of the material; no statistics."""
