import { readFileSync, writeFileSync } from 'node:fs';

/** The costs of one piece of work for its process. */
export interface Cost {
  /** Wall clock. */
  readonly seconds: number;
  /** User and system time of all threads of the process, including V8's helpers, libuv's pool and zlib. */
  readonly cpuSeconds: number;
  /** The peak resident set during the work (outside of Linux, since the process started). */
  readonly peakBytes: number;
  /** The resident set just before the work, after a garbage collection. */
  readonly idleBytes: number;
}

/** Runs `work` and measures its costs. Garbage of earlier work is collected first, unmeasured. */
export async function measure<T>(work: () => Promise<T>): Promise<Cost & { readonly result: T }> {
  globalThis.gc?.();
  resetPeak();
  const idleBytes = process.memoryUsage.rss();
  const cpu = process.cpuUsage();
  const start = performance.now();
  const result = await work();
  const seconds = (performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  return { seconds, cpuSeconds: (used.user + used.system) / 1e6, peakBytes: peakRss(), idleBytes, result };
}

/** Resets the high-water mark of the resident set, if the kernel supports it. */
export function resetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Not Linux, or not allowed: the peak is then that of the whole process.
  }
}

/** The resident set's high-water mark in bytes, which the kernel tracks, so that no peak is missed. */
export function peakRss(): number {
  try {
    const line = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
    if (line !== null) return Number(line[1]) * 1024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024;
}
