// What every client asks: as `asked.py`, for the scripts that run in Node.
import assert from "node:assert";
import { crc32, deflateSync } from "node:zlib";

export const [URL, FEATURE] = process.argv.slice(2);
export const QUESTION = "Say what you see.";
export const WEATHER = {
  type: "object", properties: { city: { type: "string", enum: ["Rome", "Oslo"] } }, required: ["city"], additionalProperties: false,
};
export const isCity = (value) => assert(["Rome", "Oslo"].includes(value), `no city: ${value}`);

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

// A red square as a `data:` URI.
export function picture(size = 112) {
  const head = Buffer.from([0, 0, 0, size, 0, 0, 0, size, 8, 2, 0, 0, 0]);
  const row = Buffer.concat([Buffer.alloc(1), Buffer.from(Array(size).fill([0xd0, 0x20, 0x20]).flat())]);
  const rows = deflateSync(Buffer.concat(Array(size).fill(row)));
  const png = [Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))];
  return `data:image/png;base64,${Buffer.concat(png).toString("base64")}`;
}

// Runs the feature named; a client that has no such feature says so by its exit status.
export async function run(features) {
  if (!features[FEATURE]) process.exit(77);
  await features[FEATURE]();
}
