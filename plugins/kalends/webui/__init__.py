"""The parts that all web pages share: templates, assets, addresses, and responses.

A set of pages is a package with two folders of data, ``templates/`` (Jinja2) and
``static/`` (style sheets, scripts), which ``pyproject.toml`` names as package data::

    pages = Templates("kalends.webui.account")            # once, at the start
    body = pages.render("account.html", assets=f"{prefix}/.web/.static/", user=user)
    return html(environ, start_response, HTTPStatus.OK, body, security_headers())

In a template ``{% extends "layout.html" %}`` gives the frame, ``{{ asset("account.css") }}`` the
address of a file in ``static/``; everything is escaped, and an undefined name is an error.
Files in ``static/`` are served by ``pages.assets(environ, start_response, NAME)`` at an address of
the package's choice, without a login: they are the same for everybody. This package has
``base.css``, with the colours (CSS variables, also for dark screens), buttons, fields and notes,
and ``layout.html``, the frame.

The policy of ``security_headers`` allows neither scripts nor styles within the page: no ``style=``,
no ``onclick=``. A ``<style>`` block whose text was given to ``security_headers(styles=[text])`` is
allowed by its hash. Pages work without scripts; scripts improve them.
"""
