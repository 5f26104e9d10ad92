"""What a document was made with: versions of this package, of Python, and of the packages that its numbers rest on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("numpy", "scipy", "pandas", "formulaic")


def package_version() -> str:
    """Version of the installed package."""
    return _version("bayeslogit")


def versions() -> dict[str, str]:
    """Of the packages that numbers rest on."""
    return {name: _version(name) for name in _PACKAGES}


def version_facts() -> tuple[tuple[str, str], ...]:
    """Names and versions, for the reproducibility section of a document."""
    return (
        ("bayeslogit", package_version()),
        ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("Packages", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)),
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed as a package"
