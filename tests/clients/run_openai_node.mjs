// The official Node client's own helpers: merged streams with tools, `parse` with a zod type, responses.
import assert from "node:assert";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { isCity, picture, QUESTION, run, URL, WEATHER } from "./asked.mjs";

const client = new OpenAI({ baseURL: URL, apiKey: "none", maxRetries: 0 });
const { completions } = client.chat;
const base = { model: "tiny", max_completion_tokens: 64, messages: [{ role: "user", content: QUESTION }] };
const required = { tools: [{ type: "function", function: { name: "weather", parameters: WEATHER } }], tool_choice: "required" };
const shown = [{ type: "image_url", image_url: { url: picture() } }, { type: "text", text: QUESTION }];
const input = [{ role: "user", content: [{ type: "input_image", image_url: picture(), detail: "auto" }, { type: "input_text", text: QUESTION }] }];

await run({
  text: async () => assert((await completions.create(base)).choices[0].message.content),
  stream: async () => {
    const stream = completions.stream({ ...base, stream_options: { include_usage: true } });
    let heard = "";
    stream.on("content", (delta) => { heard += delta; });
    const { choices, usage } = await stream.finalChatCompletion();
    assert.equal(choices[0].message.content, heard);
    assert(heard && usage.completion_tokens > 0);
  },
  picture: async () => assert((await completions.create({ ...base, messages: [{ role: "user", content: shown }] })).usage.prompt_tokens > 16),
  tools: async () => isCity(JSON.parse((await completions.create({ ...base, ...required })).choices[0].message.tool_calls[0].function.arguments).city),
  stream_tools: async () => {
    const stream = completions.stream({ ...base, ...required });
    let deltas = 0;
    stream.on("tool_calls.function.arguments.delta", () => { deltas += 1; });
    const [call] = (await stream.finalChatCompletion()).choices[0].message.tool_calls;
    isCity(JSON.parse(call.function.arguments).city);
    assert(deltas > 2, `${deltas} deltas`);
  },
  schema: async () => {
    const format = zodResponseFormat(z.object({ city: z.enum(["Rome", "Oslo"]) }), "weather");
    isCity((await completions.parse({ ...base, response_format: format })).choices[0].message.parsed.city);
  },
  responses: async () => {
    const asked = { model: "tiny", input, max_output_tokens: 64, store: false };
    const whole = await client.responses.create(asked);
    assert(whole.output_text && whole.usage.input_tokens > 16);
    const stream = client.responses.stream(asked);
    let heard = "";
    stream.on("response.output_text.delta", ({ delta }) => { heard += delta; });
    assert.equal((await stream.finalResponse()).output_text, heard);
    assert.equal(heard, whole.output_text);
  },
});
