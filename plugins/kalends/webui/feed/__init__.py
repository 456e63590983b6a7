"""A feed as a web page: month, week, day and agenda, rendered by the server.

``views`` answers requests; ``query`` finds the occurrences in the period under the feed's rules,
from the store's index where possible; ``layout`` places them; ``context`` and ``entry`` parse only
the objects that are shown.
"""
