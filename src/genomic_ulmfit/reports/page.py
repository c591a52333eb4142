"""What all HTML pages share: how templates are read, and how pictures get into a page."""

from __future__ import annotations

import base64

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment() -> Environment:
    """Return the templates of this room; they escape whatever is put into them."""
    return Environment(
        loader=PackageLoader("genomic_ulmfit.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def data_uri(content: bytes, media_type: str) -> str:
    """Return a file as an address that holds all of it, so that a page needs no other file.

    Parameters
    ----------
    content : bytes
    media_type : str
        Such as ``image/svg+xml``.

    Returns
    -------
    str
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
