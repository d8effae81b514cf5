// The AI SDK with its OpenAI provider: `provider.chat(NAME)`, and `provider(NAME)`, which asks `/v1/responses`.
import assert from "node:assert";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, Output, streamText, tool } from "ai";
import { FEATURE, isCity, picture, QUESTION, run, URL, WEATHER } from "./asked.mjs";

const provider = createOpenAI({ baseURL: URL, apiKey: "none" });
const model = FEATURE === "responses" ? provider("tiny") : provider.chat("tiny");
const base = { model, maxOutputTokens: 64, maxRetries: 0 };
const asked = { ...base, prompt: QUESTION };
const required = { tools: { weather: tool({ description: "of a city", inputSchema: jsonSchema(WEATHER) }) }, toolChoice: "required" };

const features = {
  text: async () => assert((await generateText(asked)).text),
  stream: async () => {
    const result = streamText({ ...asked, onError: ({ error }) => { throw error; } });
    let heard = "";
    for await (const delta of result.textStream) heard += delta;
    assert(heard && (await result.usage).outputTokens > 0);
  },
  picture: async () => {
    const content = [{ type: "file", mediaType: "image/png", data: picture() }, { type: "text", text: QUESTION }];
    const { text, usage } = await generateText({ ...base, messages: [{ role: "user", content }] });
    assert(text && usage.inputTokens > 16);
  },
  tools: async () => isCity((await generateText({ ...asked, ...required })).toolCalls[0].input.city),
  stream_tools: async () => {
    const result = streamText({ ...asked, ...required });
    const parts = await Array.fromAsync(result.fullStream);
    isCity((await result.toolCalls)[0].input.city);
    assert(parts.filter(({ type }) => type === "tool-input-delta").length > 2);
  },
  schema: async () => isCity((await generateText({ ...asked, output: Output.object({ schema: jsonSchema(WEATHER) }) })).output.city),
};

await run({ ...features, responses: async () => { for (const feature of Object.values(features)) await feature(); } });
