"""The limits of the XML in requests and answers, each with its reason."""

from __future__ import annotations

MAX_HREFS = 10_000
"""Hrefs of a multiget, unless configured; programs that fetch more than 5,000 are not known."""

MAX_OTHER_ELEMENTS = 15_000
"""Elements of one body beside the most hrefs; the longest lists of properties have hundreds."""

MAX_ELEMENTS = MAX_HREFS + MAX_OTHER_ELEMENTS
"""Elements of one body; comments, CDATA sections and processing instructions count as well."""

MAX_DEPTH = 50
"""Elements within each other; filters need six, and a property's own XML hardly more."""

MAX_ATTRIBUTES = 100
"""Attributes and namespace declarations of one element; there are seven namespaces to declare."""

MAX_ATTRIBUTES_IN_ALL = 50_000
"""The same of one body: some programs declare the namespaces at every element."""

MAX_NAME = 255
"""Characters of a name as written, and of a namespace.

The parser joins both for each element, so that a long namespace costs its length again and again.
"""

MAX_MARKUP = 1 << 16
"""Octets of one tag, comment or processing instruction, which the parser holds as a whole."""

MAX_HREF = 4096
"""Characters of one href; a name has 255 octets at most in most programs, times 3 if quoted."""

MAX_PROPERTIES = 1000
"""Properties of one request with all elements in them; no program needs more than a hundred.

Each resource of the answer names them all.
"""

MAX_FILTERS = 250
"""Elements of one filter, each of which may be evaluated on each object.

A search for five words in ten fields of a card needs a hundred.
"""

MAX_TEXT_MATCH = 1024
"""Characters of a text to search for."""

MAX_REPEATED = 128 << 20
"""Characters of an answer that are repeated for each object: names and states of properties.

Ten properties of 100,000 objects need half of it; the objects' own data is not limited.
"""
