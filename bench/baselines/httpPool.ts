/**
 * What the transfers of row `cpu` need at least in Node: bare `node:http` requests on kept connections, a fixed number at a
 * time, and files. No signature, no checks, no retries, nothing that survives a crash.
 *
 * Params: `endpoint`, `bucket`, `size`, `count`, `smallSize`, `window`, `fragment` (bytes), `directory`, `source`.
 */
import { Agent, request, type IncomingMessage } from 'node:http';
import { open, writeFile, readFile, type FileHandle } from 'node:fs/promises';
import type { Outcome, Params, Start, Workload } from '../harness/workload.js';
import { smallName } from '../servers/objects.js';
import { lastValueFrom } from 'rxjs';
import { SampledDigest } from '../synthetic/digest.js';
import { storesOf } from '../variants/stores.js';

export const readBig: Start = (params) =>
  pool(params, async (http, { size, window, fragment }) =>
    inOrder(Math.ceil(size / fragment), window, (n) =>
      http.chunks('/big', n * fragment, Math.min((n + 1) * fragment, size)),
    ),
  );

/**
 * The same in a process that has loaded the SDK and millrace, as ours has. V8 marks all live objects again for every few dozen MiB of
 * buffers, so what else is loaded counts.
 */
export const readBigLoaded: Start = async (params) => {
  await import('millrace');
  const { stores, close } = storesOf(params);
  await lastValueFrom(stores.open(`s3://${String(params['bucket'])}/`).store.head('big'));
  close();
  return readBig(params);
};

export const downBig: Start = (params) =>
  pool(params, async (http, { size, window, fragment, directory }) => {
    const file = await open(`${directory}/big`, 'w');
    await file.truncate(size);
    await each(Math.ceil(size / fragment), window, async (n) => {
      const writing = new Writing(file, n * fragment);
      await http.receive('/big', n * fragment, Math.min((n + 1) * fragment, size), (chunk) =>
        writing.add(chunk),
      );
      await writing.end();
    });
    await file.close();
    return { digest: '', amount: size };
  });

export const upBig: Start = (params) =>
  pool(params, async (http, { size, window, fragment, source }) => {
    const file = await open(`${source}/big`, 'r');
    const buffers = Array.from({ length: window }, () => Buffer.allocUnsafeSlow(fragment));
    const id =
      /<UploadId>(.*)<\/UploadId>/.exec(String(await http.send('POST', '/up/big?uploads')))?.[1] ?? '';
    await each(Math.ceil(size / fragment), window, async (n, worker) => {
      const { bytesRead } = await file.read(buffers[worker]!, 0, fragment, n * fragment);
      await http.send(
        'PUT',
        `/up/big?partNumber=${n + 1}&uploadId=${id}`,
        buffers[worker]!.subarray(0, bytesRead),
      );
    });
    await http.send('POST', `/up/big?uploadId=${id}`);
    await file.close();
    return { digest: '', amount: size };
  });

export const readSmall: Start = (params) =>
  pool(params, (http, { count, window }) =>
    inOrder(count, window, (n) => http.chunks(`/small/${smallName(n)}`)),
  );

export const downSmall: Start = (params) =>
  pool(params, async (http, { count, window, directory, smallSize }) => {
    await each(count, window, async (n) => {
      const chunks = await http.chunks(`/small/${smallName(n)}`);
      await writeFile(
        `${directory}/${smallName(n)}`,
        chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks),
      );
    });
    return { digest: '', amount: count * smallSize };
  });

export const upSmall: Start = (params) =>
  pool(params, async (http, { count, window, source, smallSize }) => {
    await each(count, window, async (n) => {
      await http.send('PUT', `/up/${smallName(n)}`, await readFile(`${source}/small/${smallName(n)}`));
    });
    return { digest: '', amount: count * smallSize };
  });

interface Sizes {
  readonly size: number;
  readonly count: number;
  readonly smallSize: number;
  readonly window: number;
  readonly fragment: number;
  readonly directory: string;
  readonly source: string;
}

function pool(params: Params, work: (http: Http, sizes: Sizes) => Promise<Outcome>): Workload {
  const of = (name: string): number => Number(params[name]);
  const window = of('window');
  const sizes = {
    size: of('size'),
    count: of('count'),
    smallSize: of('smallSize'),
    fragment: of('fragment'),
  };
  const http = new Http(params, window);
  const places = { directory: String(params['directory']), source: String(params['source']) };
  return {
    round: () => work(http, { ...sizes, window, ...places }),
    close: () => {
      http.close();
      return Promise.resolve();
    },
  };
}

/** Reads pieces 0 to `count` - 1, `window` at a time, and takes them in order. */
async function inOrder(
  count: number,
  window: number,
  read: (n: number) => Promise<readonly Buffer[]>,
): Promise<Outcome> {
  const digest = new SampledDigest();
  const ahead: Promise<readonly Buffer[]>[] = [];
  let amount = 0;
  for (let n = 0; n < count || ahead.length > 0;) {
    for (; ahead.length < window && n < count; n++) ahead.push(read(n));
    for (const chunk of (await ahead.shift()) ?? []) {
      digest.update(chunk);
      amount += chunk.length;
    }
  }
  return { digest: digest.toString(), amount };
}

/** Runs `work` for 0 to `count` - 1, `window` at a time. */
export async function each(
  count: number,
  window: number,
  work: (n: number, worker: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (_: unknown, id: number): Promise<void> => {
    while (next < count) await work(next++, id);
  };
  await Promise.all(Array.from({ length: window }, worker));
}

/** What is written at once. Larger pieces have left the processor's cache, and take twice the time. Bytes. */
const piece = 512 << 10;

/** Writes chunks into a file as they come. */
class Writing {
  readonly #file: FileHandle;
  readonly #writes: Promise<unknown>[] = [];
  #at: number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(file: FileHandle, at: number) {
    this.#file = file;
    this.#at = at;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= piece) this.#flush();
  }

  async end(): Promise<void> {
    this.#flush();
    await Promise.all(this.#writes);
  }

  #flush(): void {
    if (this.#bytes === 0) return;
    this.#writes.push(this.#file.writev(this.#chunks, this.#at));
    this.#at += this.#bytes;
    this.#chunks = [];
    this.#bytes = 0;
  }
}

/** Bare requests on kept connections. */
export class Http {
  readonly #agent: Agent;
  readonly #host: string;
  readonly #port: string;
  readonly #root: string;

  constructor({ endpoint, bucket }: Params, sockets: number) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: sockets });
    const { hostname, port } = new URL(String(endpoint));
    this.#host = hostname;
    this.#port = port;
    this.#root = `/${String(bucket)}`;
  }

  /** A body, or a range of it, as it comes. */
  async chunks(path: string, start?: number, end?: number): Promise<Buffer[]> {
    const chunks: Buffer[] = [];
    await this.receive(path, start, end, (chunk) => chunks.push(chunk));
    return chunks;
  }

  receive(
    path: string,
    start: number | undefined,
    end: number | undefined,
    take: (chunk: Buffer) => unknown,
  ): Promise<void> {
    const headers = start === undefined ? {} : { range: `bytes=${start}-${(end ?? 0) - 1}` };
    return this.#request('GET', path, headers, undefined, take);
  }

  async send(method: string, path: string, body?: Buffer): Promise<Buffer> {
    const chunks: Buffer[] = [];
    const headers = { 'content-length': body?.length ?? 0 };
    await this.#request(method, path, headers, body, (chunk) => chunks.push(chunk));
    return Buffer.concat(chunks);
  }

  close(): void {
    this.#agent.destroy();
  }

  #request(
    method: string,
    path: string,
    headers: Record<string, string | number>,
    body: Buffer | undefined,
    take: (chunk: Buffer) => unknown,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const options = { agent: this.#agent, host: this.#host, port: this.#port, method, headers };
      const outgoing = request({ ...options, path: this.#root + path }, (incoming: IncomingMessage) => {
        incoming.on('data', take);
        incoming.once('end', () => {
          if (incoming.statusCode === 200 || incoming.statusCode === 206) resolve();
          else reject(new Error(`${method} ${path}: ${incoming.statusCode ?? 0}`));
        });
        incoming.once('error', reject);
      });
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }
}
