"""`nfcbridge openapi`: the interface of the charge controller as an OpenAPI document."""

import click

from nfcbridge.cli import COMMANDS


@click.command(short_help=COMMANDS["openapi"].sentence)
def command() -> None:
    """Print the OpenAPI 3.1 document of the emulated charge controller, as JSON.

    A running server has the same at /v1/openapi.json, and a page to read and try it at /v1/docs.
    """
    import msgspec

    from nfcbridge.charger.openapi import document

    click.echo(msgspec.json.format(document(), indent=2))
