import { isStoreError } from '../store/errors.js';
import type { Progress } from '../fs/operations/index.js';
import type { Located } from './locate.js';
import type { Session } from './session.js';
import { one } from './wait.js';

/**
 * Writes standard input to an object, with backpressure and in bounded memory. Nothing is visible before the end; an interrupt
 * leaves nothing. Resolves with false if there is an object that must not be replaced.
 */
export async function writeStandardInput(
  { operations, io, stop }: Session,
  target: Located,
  { overwrite }: { readonly overwrite: boolean },
  progress: (progress: Progress) => void,
): Promise<boolean> {
  const { uri } = target;
  let done = 0;
  async function* body(): AsyncGenerator<Uint8Array> {
    for await (const chunk of io.stdin as AsyncIterable<Uint8Array | string>) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      yield bytes;
      done += bytes.length;
      progress({ objects: { done: 0, total: 1 }, bytes: { done }, uri });
    }
  }
  // Checked before reading: a pipe cannot be read again.
  if (!overwrite && (await there())) return false;
  try {
    const condition = overwrite ? {} : { assumeObjectNotExists: true };
    const { size } = await one(operations.write(uri, body(), condition), stop);
    progress({ objects: { done: 1, total: 1 }, bytes: { done: size, total: size }, uri });
    return true;
  } finally {
    io.stdin.destroy();
  }

  async function there(): Promise<boolean> {
    try {
      return (await one(operations.stat(uri), stop)).kind === 'object';
    } catch (error) {
      if (isStoreError(error, 'NotFound')) return false;
      throw error;
    }
  }
}
