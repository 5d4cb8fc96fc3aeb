import { readableSize } from '../config/readable.js';
import type { LifeEvent } from './events.js';

/** Keyed state takes more than all jobs of the process may hold together. Bytes. */
export function memoryExceeded(job: string, state: number, memory: number): LifeEvent {
  const message = `Keyed state in this process takes about ${readableSize(state)}, but its jobs may hold only ${readableSize(memory)} together. They continue, but their sources and sinks get only the memory that they need at least. Give the process more memory and raise memory of createJob (execution.memory-budget), run fewer jobs in one process, or clear keys that are no longer needed.`;
  return { type: 'memory-exceeded', job, state, memory, message };
}
