"""Faces of a result: terminal, Markdown and HTML. They see tables, charts and document blocks, and compute nothing."""
