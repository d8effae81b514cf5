"""The routes by which the model is talked to: OpenAI's and Anthropic's forms over one chat request."""

from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from viewfinder.serve.answering import ChatForm, answer_chat, check_model, taker, unless_gone
from viewfinder.serve.anthropic_form import AnthropicForm
from viewfinder.serve.anthropic_messages import CountRequest, MessagesRequest
from viewfinder.serve.completions import Completion
from viewfinder.serve.protocol import ChatRequest
from viewfinder.serve.responses import ResponsesRequest
from viewfinder.serve.responses_form import ResponsesForm

if TYPE_CHECKING:
    from viewfinder.serve.app import Server


def add_chat_routes(app: FastAPI, server: "Server") -> None:
    openai = taker(app, server.settings, "openai")
    anthropic = taker(app, server.settings, "anthropic")

    @openai("/v1/chat/completions")
    async def chat(body: ChatRequest, request: Request) -> Response:
        """OpenAI's chat completions with pictures, clips and documents; `stream` gives server-sent events."""
        return await answer_chat(server, body, request, ChatForm())

    @openai("/v1/responses")
    async def responses(body: ResponsesRequest, request: Request) -> Response:
        """OpenAI's Responses API, stateless: words, pictures, tools, `text.format`, and typed events."""
        return await answer_chat(server, body.to_chat(), request, ResponsesForm(body))

    @anthropic("/v1/messages")
    async def messages(body: MessagesRequest, request: Request) -> Response:
        """Anthropic's Messages API: words, pictures, documents, tools, and its events."""
        return await answer_chat(server, body.to_chat(), request, AnthropicForm(body.model, body.stop_sequences or ()))

    @anthropic("/v1/messages/count_tokens")
    async def count_tokens(body: CountRequest, request: Request) -> Response:
        """How many tokens a conversation has for this model, pictures included."""
        chat = body.to_chat()
        check_model(server, chat.model)
        completion = Completion(chat, server.engine, server.request_media, request.state.tenant)
        prepared = await unless_gone(request, server.in_thread(completion.prepare))
        return JSONResponse({"input_tokens": len(prepared.inputs.input_ids)})
