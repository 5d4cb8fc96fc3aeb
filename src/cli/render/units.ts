/** Formats numbers for people. */

import { readableDuration } from '../../config/readable.js';

export { readableSize as size } from '../../config/readable.js';

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
  return whole === 0 ? '0 s' : readableDuration(1000 * whole);
}

/** `2026-11-20 14:03`, in the time zone of the process; empty if unknown. */
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
