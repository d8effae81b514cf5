// What media will cost before anything is sent: the official resizing rule (report 2.1.1), in (width, height).
const SIDE = 28;

// Python rounds halves to even: 42 / 28 = 1.5 becomes 2, 70 / 28 = 2.5 becomes 2.
const even = (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

export function smartResize(width, height, least, most, side = SIDE) {
  let [w, h] = [width, height].map((x) => Math.max(side, even(x / side) * side));
  if (w * h > most) {
    const by = Math.sqrt((width * height) / most);
    [w, h] = [width, height].map((x) => Math.max(side, Math.floor(x / by / side) * side));
  } else if (w * h < least) {
    const by = Math.sqrt(least / (width * height));
    [w, h] = [width, height].map((x) => Math.ceil((x * by) / side) * side);
  }
  return [w, h];
}

// What the model will see of an item: size in pixels, tokens, and frames of a clip, which the server counts.
export function expected(item, settings, options) {
  if (item.kind === "video") return { size: item.seen, frames: item.times.length, tokens: item.tokens };
  const [width, height] = item.size;
  const most = options.mostTokens ? options.mostTokens * SIDE * SIDE : settings.max_pixels;
  const size = smartResize(width, height, Math.min(settings.min_pixels, most), Math.min(most, settings.max_pixels));
  return { size, tokens: (size[0] * size[1]) / SIDE ** 2 };
}
