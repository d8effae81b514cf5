"""`/docs`: the OpenAPI of this server as a page to read, made here and asking nothing of any other server."""

from collections.abc import Iterator
from html import escape
from typing import Any

_HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="icon.svg">
<link rel="stylesheet" href="docs.css"></head><body><main><h1>{title}</h1>
<p>{text} As a file: <a href="openapi.json">openapi.json</a>. The page: <a href="./">playground</a>.</p>"""
_METHODS = ("get", "post", "put", "patch", "delete")
_OWN_SIZE = 8


def docs_html(openapi: dict[str, Any]) -> str:
    """All operations, with the fields of their bodies: name, type, default, bounds and what is said of them."""
    info = openapi["info"]
    head = _HEAD.format(title=escape(f"{info['title']} {info['version']}"), text=escape(info["description"]))
    return "\n".join([head, *_operations(openapi), "</main></body></html>"])


def _operations(openapi: dict[str, Any]) -> Iterator[str]:
    schemas = openapi.get("components", {}).get("schemas", {})
    for path, methods in openapi["paths"].items():
        for method in filter(methods.__contains__, _METHODS):
            operation = methods[method]
            yield f'<section id="{escape(path)}"><h2><code>{method.upper()} {escape(path)}</code></h2>'
            yield f"<p>{escape(operation.get('description') or operation.get('summary', ''))}</p>"
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if body is not None:
                yield _table(_resolved(body, schemas), schemas)
            yield "</section>"


def _table(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    needed = schema.get("required", ())
    rows = []
    for name, field in schema.get("properties", {}).items():
        default = "needed" if name in needed else escape(_short(field.get("default")))
        cells = (escape(_type(field, schemas)), default, escape(field.get("description", "")))
        rows.append(f"<tr><td><code>{escape(name)}</code></td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    head = "<tr><th>field</th><th>type</th><th>default</th><th></th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _short(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 60 else ""


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    return schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _type(field: dict[str, Any], schemas: dict[str, Any]) -> str:
    """`{"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}` -> "integer, at least 0"."""
    if "$ref" in field:
        name, inner = field["$ref"].rpartition("/")[2], _resolved(field, schemas)
        fields = ", ".join(inner.get("properties", {}))
        return f"{name} {{{fields}}}" if fields and len(inner["properties"]) <= _OWN_SIZE else name
    if "anyOf" in field:
        return " or ".join(_type(one, schemas) for one in field["anyOf"] if one.get("type") != "null")
    if "enum" in field or "const" in field:
        return " | ".join(repr(value) for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), schemas)}"
    words = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "over", "exclusiveMaximum": "under"}
    bounds = [f"{said} {field[name]}" for name, said in words.items() if name in field]
    return ", ".join([field.get("type", "anything"), *bounds])
