"""`pms schema`: JSON Schemas and the AsyncAPI document, from the very models that decode."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("what", type=click.Choice(["events", "manifest", "asyncapi"]))
def schema(what: str) -> None:
    """Print what goes in and comes out, as schemas.

    The JSON Schemas of the events, of the release manifest, or the AsyncAPI document of the topics.
    """
    click.echo(json.dumps(_document(what), indent=2, ensure_ascii=False))


def _document(what: str) -> object:
    match what:
        case "manifest":
            from surveillance.manifest.json_schema import manifest_json_schema

            return manifest_json_schema()
        case "events":
            from surveillance.events.schema import event_json_schemas

            return event_json_schemas()
        case _:
            from surveillance.events.asyncapi import asyncapi_document

            return asyncapi_document()
