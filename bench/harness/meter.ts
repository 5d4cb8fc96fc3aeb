import { readFileSync, writeFileSync } from 'node:fs';

/** What one piece of work cost the process it ran in. */
export interface Cost {
  /** Wall clock. */
  readonly seconds: number;
  /** User and system time of all the process's threads: V8's helpers, libuv's pool and zlib included. */
  readonly cpuSeconds: number;
  /** The highest resident set while the work ran (since the process began where Linux can't be asked). */
  readonly peakBytes: number;
  /** The resident set just before the work, after a collection. */
  readonly idleBytes: number;
}

/** Runs `work` and takes its costs. Garbage of earlier work is collected first, outside the clock. */
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

/** Starts a new high-water mark of the resident set, where the kernel has that. */
export function resetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Not Linux, or not allowed: the peak is then that of the whole process.
  }
}

/** The resident set's high-water mark in bytes. The kernel keeps it, so no sampling can miss it. */
export function peakRss(): number {
  try {
    const line = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
    if (line !== null) return Number(line[1]) * 1024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024;
}
