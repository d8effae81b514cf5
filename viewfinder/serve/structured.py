"""What an answer is bound to: OpenAI's `response_format`, vLLM's `structured_outputs` and `guided_*`, our `grammar`."""

import json
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from viewfinder.engine.grammar import GrammarCompiler, TokenGrammar
from viewfinder.outputs.json_schema import closed
from viewfinder.serve.body import Body, check_json

Choices = Annotated[list[str], Field(min_length=1, max_length=1000)]
_Grammar = Annotated[str, Field(max_length=200_000)]


class JsonSchema(Body):
    name: str = "answer"
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None

    @field_validator("schema_")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        check_json(value)
        return value


class ResponseFormat(Body):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _complete(self) -> "ResponseFormat":
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("type json_schema and the field json_schema go together")
        return self


class StructuredOutputs(Body):
    """vLLM's; exactly one of json, json_object, regex, choice and grammar (Lark)."""

    json_: dict[str, Any] | str | None = Field(default=None, alias="json")
    json_object: bool | None = None
    regex: _Grammar | None = None
    choice: Choices | None = None
    grammar: _Grammar | None = None
    disable_any_whitespace: bool | None = None
    disable_additional_properties: bool | None = None

    @field_validator("json_")
    @classmethod
    def _read(cls, value: Any) -> Any:
        read = json.loads(value) if isinstance(value, str) else value
        if not isinstance(read, dict):
            raise ValueError("is no JSON schema; give an object")
        check_json(read)
        return read

    @model_validator(mode="after")
    def _one(self) -> "StructuredOutputs":
        given = [self.json_ is not None, bool(self.json_object), self.regex, self.choice, self.grammar]
        if sum(bool(one) for one in given) != 1:
            raise ValueError("give exactly one of json, json_object, regex, choice and grammar")
        return self

    def compile(self, grammars: GrammarCompiler) -> TokenGrammar:
        """The grammar of the answer; raises `GrammarError`."""
        if self.regex is not None:
            return grammars.regex(self.regex)
        if self.choice is not None:
            return grammars.lark("start: " + " | ".join(json.dumps(one, ensure_ascii=False) for one in self.choice))
        if self.grammar is not None:
            return grammars.lark(self.grammar)
        return grammars.json_schema(closed(self.json_ or {"type": "object"}))


class StructureFields(Body):
    """Fields of a request that bind its answer; one of them at most."""

    response_format: ResponseFormat | None = None
    grammar: _Grammar | None = Field(default=None, description="Lark grammar of the answer.")
    structured_outputs: StructuredOutputs | None = None
    guided_json: dict[str, Any] | str | None = Field(default=None, description="As structured_outputs.json.")
    guided_regex: _Grammar | None = None
    guided_choice: Choices | None = None
    guided_grammar: _Grammar | None = None

    @property
    def num_structures(self) -> int:
        """How many of the fields are given; those that need no schema to be copied are looked into."""
        if self.response_format is None or self.response_format.type == "text":
            return len(self.structures)
        return 1 + len(self.model_copy(update={"response_format": None}).structures)

    @property
    def structures(self) -> list[StructuredOutputs]:
        """What the answer is bound to; more than one is the client's mistake."""
        found = [] if self.structured_outputs is None else [self.structured_outputs]
        own = {"grammar": self.grammar}
        guided = {name: getattr(self, f"guided_{name}") for name in ("json", "regex", "choice", "grammar")}
        given = [*own.items(), *guided.items()]
        found += [StructuredOutputs.model_validate({name: value}) for name, value in given if value is not None]
        wanted = self.response_format
        if wanted is not None and wanted.json_schema is not None:
            schema = closed(wanted.json_schema.schema_, all_required=bool(wanted.json_schema.strict))
            found.append(StructuredOutputs.model_validate({"json": schema}))
        elif wanted is not None and wanted.type == "json_object":
            found.append(StructuredOutputs(json_object=True))
        return found
