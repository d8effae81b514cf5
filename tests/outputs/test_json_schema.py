from viewfinder.outputs.json_schema import closed


def test_objects_have_no_properties_beside_those_listed() -> None:
    price = {"type": "object", "properties": {"net": {"type": "number"}}}
    either = {"properties": {"a": {}}, "anyOf": [{"required": ["a"]}]}
    schema = {"type": "object", "properties": {"price": price, "either": either}, "$defs": {"p": price}}
    shut = {**price, "additionalProperties": False}
    assert closed(schema) == {
        "type": "object",
        "properties": {"price": shut, "either": either},  # where branches add properties nothing is shut
        "$defs": {"p": shut},
        "additionalProperties": False,
    }
    free = {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}}
    assert closed(free) == free
