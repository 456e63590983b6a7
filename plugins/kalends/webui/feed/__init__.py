"""A feed as a web page: month, week, day and agenda, made by the server.

``application`` is the shell; ``happening`` asks the store's index when something happens, under the
feed's own rules; ``months``, ``hours`` and ``agenda`` lay it out, and only what they show is read
(``reading``, ``views``).
"""
