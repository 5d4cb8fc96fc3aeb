import type { JobEvent } from 'millrace';

/** Describes an event that is about memory. */
export function memoryLine(event: JobEvent): string | undefined {
  if (event.type === 'memory-exceeded') return event.message;
  if (event.type !== 'stalled' || event.waiting.on !== 'memory') return undefined;
  return `${event.waiting.holders.join(', ')}: no memory for ${event.forMs / 1000} s`;
}

/** What the process holds, in MiB. */
export function memoryNow(): { readonly heap: number; readonly bytes: number; readonly all: number } {
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  const inMiB = (bytes: number): number => Math.round(bytes / 2 ** 20);
  return { heap: inMiB(heapUsed), bytes: inMiB(arrayBuffers), all: inMiB(rss) };
}
