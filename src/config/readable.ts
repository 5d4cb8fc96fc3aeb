/** Formats sizes and durations for people. */

const sizes = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `812 B`, `1.2 MiB`, `340 GiB`. */
export function readableSize(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  let amount = bytes;
  let unit = '';
  for (const next of sizes) {
    amount /= 1024;
    unit = next;
    if (amount < 999.95) break;
  }
  return `${amount < 99.95 ? amount.toFixed(1) : String(Math.round(amount))} ${unit}`;
}

/** `200 ms`, `8 s`, `1 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function readableDuration(milliseconds: number): string {
  const whole = Math.round(milliseconds / 1000);
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ');
}
