import { Readable, Writable } from 'node:stream';
import { openStores, type OpenedStores } from '../../src/store/open.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { run } from '../../src/cli/run.js';
import { answer } from '../store/s3support.js';

/** Keeps what is written to it. */
export class Kept extends Writable {
  readonly chunks: Buffer[] = [];
  readonly columns = 100;
  readonly isTTY: boolean;

  constructor(isTTY = false) {
    super({ highWaterMark: 64 << 10 });
    this.isTTY = isTTY;
  }

  override _write(chunk: Uint8Array, _: BufferEncoding, done: () => void): void {
    this.chunks.push(Buffer.from(chunk));
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get text(): string {
    return this.bytes.toString();
  }
}

export interface Given {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: Iterable<Uint8Array | string> | Readable;
  readonly stores?: OpenedStores;
  readonly interrupt?: AbortSignal;
  readonly stdout?: Writable;
  /** Standard error is a terminal. */
  readonly terminal?: boolean;
  /** Standard error, in place of one that `terminal` describes. */
  readonly stderr?: Kept;
  readonly now?: () => number;
}

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly bytes: Buffer;
  readonly err: string;
}

/** Runs a command line in this process, with nothing of the machine's environment. */
export async function cli(argv: readonly string[], given: Given = {}): Promise<Outcome> {
  const { env = {}, cwd = '/nowhere', stdin = [], stores, terminal = false } = given;
  const out = new Kept();
  const err = given.stderr ?? new Kept(terminal);
  const code = await run(argv, {
    stdin: stdin instanceof Readable ? stdin : Readable.from(stdin),
    stdout: given.stdout ?? out,
    stderr: err,
    env,
    cwd,
    interrupt: given.interrupt ?? new AbortController().signal,
    ...(stores === undefined ? {} : { openStores: () => stores }),
    ...(given.now === undefined ? {} : { now: given.now }),
  });
  return { code, out: out.text, bytes: out.bytes, err: err.text };
}

/** Memory stores that outlive a command. */
export function lasting(): OpenedStores {
  const stores = openStores();
  return { open: (uri) => stores.open(uri), close: () => undefined, [Symbol.dispose]: () => undefined };
}

export async function put(
  store: ObjectStore,
  objects: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  for (const [key, body] of Object.entries(objects)) await answer(store.put(key, Buffer.from(body)));
}

/** All objects with their bytes, as text. */
export async function contents(store: ObjectStore, prefix = ''): Promise<Record<string, string>> {
  const { objects } = await answer(store.list({ prefix }));
  const all: Record<string, string> = {};
  for (const { key } of objects) {
    const { chunks } = await answer(store.get(key));
    all[key] = Buffer.concat(chunks).toString();
  }
  return all;
}

export async function keys(store: ObjectStore): Promise<string[]> {
  return (await answer(store.list({}))).objects.map(({ key }) => key);
}

export async function uploadsOf(store: ObjectStore, prefix = ''): Promise<number> {
  return (await answer(store.listUploads({ prefix }))).uploads.length;
}

export function records(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Jest's own is `any`. */
export const anyText = expect.any(String) as unknown;
export const anyNumber = expect.any(Number) as unknown;
