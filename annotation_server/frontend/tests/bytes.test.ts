import { expect, it } from "vitest";

import { base64, deflate, fromBase64, inflate } from "../src/bytes";

it("large drawings come back from base64 and zlib as they were", async () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7919) >> 3);
  expect(fromBase64(base64(bytes))).toEqual(bytes);
  expect(await inflate(await deflate(bytes))).toEqual(bytes);
});

it("what is written is zlib, as the server reads it", async () => {
  expect([...(await deflate(new Uint8Array(4)))].slice(0, 1)).toEqual([0x78]);
});

it("what is no zlib stream is refused", async () => {
  await expect(inflate(Uint8Array.of(1, 2, 3))).rejects.toThrow();
});
