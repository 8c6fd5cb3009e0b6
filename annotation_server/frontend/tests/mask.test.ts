import { describe, expect, it } from "vitest";

import { type Mask, area, blank, disagreement, enlarge, equal, extent, pack, unpack, unpackBundle } from "../src/mask";

export function parse(...rows: string[]): Mask {
  const pixels = Uint8Array.from(rows.join(""), (character) => (character === "#" ? 1 : 0));
  return { width: rows[0].length, height: rows.length, pixels };
}

describe("packed bits", () => {
  it("run row by row, most significant first, padded with zeros", () => {
    const mask = parse("#..", "..#", "##.", ".#.");
    expect([...pack(mask.pixels)]).toEqual([0b10000111, 0b00100000]);
  });

  it("come back as they were, for every remainder of eight", () => {
    for (let width = 1; width <= 17; width++) {
      const mask = blank({ width, height: 3 });
      for (let i = 0; i < mask.pixels.length; i += 1 + (i % 3)) mask.pixels[i] = 1;
      expect(equal(unpack(pack(mask.pixels), mask), mask)).toBe(true);
    }
  });

  it("of another length are refused", () => {
    expect(() => unpack(new Uint8Array(3), { width: 4, height: 4 })).toThrow("takes 2 bytes, 3 were received");
    expect(() => unpackBundle(new Uint8Array(5), 3, { width: 4, height: 4 })).toThrow("take 6 bytes, 5 were received");
  });

  it("of a bundle follow each other in slot order", () => {
    const [first, second] = [parse("#...", "...."), parse("....", "...#")];
    const bundle = Uint8Array.of(...pack(first.pixels), ...pack(second.pixels));
    expect(unpackBundle(bundle, 2, { width: 4, height: 2 })).toEqual([first, second]);
  });
});

describe("enlarge", () => {
  it("keeps a mask of the same size", () => {
    const mask = parse("#.#", ".#.", "##.");
    expect(enlarge(mask, mask)).toEqual(mask);
  });

  it("puts a straight edge midway between pixel centres", () => {
    expect(enlarge(parse("##.."), { width: 8, height: 1 })).toEqual(parse("####...."));
  });

  it("rounds a corner by linear interpolation", () => {
    const large = enlarge(parse("#.", ".."), { width: 8, height: 8 });
    expect(large.pixels[0]).toBe(1);
    // At (3, 3) both weights are 0.625 of the set pixel: their product is below one half.
    expect(large.pixels[3 * 8 + 3]).toBe(0);
    expect(large.pixels[3 * 8]).toBe(1);
  });
});

it("area counts set pixels", () => {
  expect(area(parse("##.", "..#"))).toBe(3);
});

it("the extent of a mask is the smallest rectangle around it", () => {
  expect(extent(parse("....", ".#..", "..#.", "#..."))).toEqual({ x: 0, y: 1, width: 3, height: 3 });
  expect(extent(parse("...#"))).toEqual({ x: 3, y: 0, width: 1, height: 1 });
  expect(extent(blank({ width: 3, height: 3 }))).toBeNull();
});

it("disagreement is strongest where half of the masks differ", () => {
  const masks = [parse("##."), parse("#.."), parse("#.."), parse("##.")];
  expect([...disagreement(masks)]).toEqual([0, 255, 0]);
});
