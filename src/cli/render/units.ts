/** Numbers as people read them. */

const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `812 B`, `1.2 MiB`, `340 GiB`: three digits or so. */
export function size(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  let amount = bytes;
  let unit = '';
  for (const next of units) {
    amount /= 1024;
    unit = next;
    if (amount < 999.95) break;
  }
  return `${amount < 99.95 ? amount.toFixed(1) : String(Math.round(amount))} ${unit}`;
}

/** `4,200`. */
export function count(amount: number): string {
  return amount.toLocaleString('en-US');
}

/** `1 object`, `4,200 objects`. */
export function counted(amount: number, one: string, many = `${one}s`): string {
  return `${count(amount)} ${amount === 1 ? one : many}`;
}

/** `8 s`, `1 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function time(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ');
}

/** `2026-11-20 14:03`, in the time zone of the process; nothing where it is not known. */
export function date(milliseconds: number): string {
  if (milliseconds === 0) return '';
  const at = new Date(milliseconds);
  const two = (part: number): string => String(part).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** For JSON: ISO 8601, in UTC. */
export function iso(milliseconds: number): string | undefined {
  return milliseconds === 0 ? undefined : new Date(milliseconds).toISOString();
}
