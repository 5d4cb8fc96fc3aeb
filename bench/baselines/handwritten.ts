/**
 * The main job written by hand with only the SDK: reads every event, counts clicks per user and day in a Map, and
 * writes the running counts to one object per day. It has no guarantees: if killed, it has published nothing, or half
 * of the days, and starts from the beginning.
 */
import { GetObjectCommand, ListObjectsV2Command, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

export interface HandwrittenOptions {
  readonly endpoint: string;
  readonly bucket: string;
  /** Key prefix of the input. Every object below it is read, `.gz` ones decompressed. */
  readonly prefix: string;
  /** Key prefix of the output, ending in a slash. */
  readonly out: string;
  readonly credentials: NonNullable<S3ClientConfig['credentials']>;
  readonly region?: string;
}

export interface HandwrittenResult {
  readonly events: number;
  readonly clicks: number;
  readonly objects: number;
}

interface Event {
  readonly id: number;
  readonly at: string;
  readonly user: string;
  readonly kind: string;
}

export async function run(options: HandwrittenOptions): Promise<HandwrittenResult> {
  const { endpoint, bucket, prefix, out, credentials, region = 'us-east-1' } = options;
  const s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  const counts = new Map<string, number>();
  const days = new Map<string, DayFile>();
  let events = 0;
  let clicks = 0;
  try {
    for (const key of await keys(s3, bucket, prefix)) {
      for await (const lines of blocks(await body(s3, bucket, key))) {
        for (const line of lines) {
          const { id, at, user, kind } = JSON.parse(line) as Event;
          events++;
          if (kind !== 'click') continue;
          const day = at.slice(0, 10);
          const pair = `${user} ${day}`;
          const count = (counts.get(pair) ?? 0) + 1;
          counts.set(pair, count);
          let file = days.get(day);
          if (file === undefined)
            days.set(day, (file = new DayFile(s3, bucket, `${out}day=${day}/clicks.ndjson`)));
          file.add(`${JSON.stringify({ user, day, clicks: count, id })}\n`);
          clicks++;
        }
        for (const file of days.values()) await file.drained();
      }
    }
    await Promise.all([...days.values()].map((file) => file.close()));
    return { events, clicks, objects: days.size };
  } finally {
    s3.destroy();
  }
}

async function keys(s3: S3Client, bucket: string, prefix: string): Promise<string[]> {
  const found: string[] = [];
  let token: string | undefined;
  do {
    const page = await s3.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        ...(token !== undefined && { ContinuationToken: token }),
      }),
    );
    for (const { Key } of page.Contents ?? []) if (Key !== undefined) found.push(Key);
    token = page.NextContinuationToken;
  } while (token !== undefined);
  return found;
}

async function body(s3: S3Client, bucket: string, key: string): Promise<AsyncIterable<Buffer>> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  const stored = Body as Readable;
  if (!key.endsWith('.gz')) return stored;
  const plain = createGunzip({ chunkSize: 1 << 16 });
  stored.once('error', (error) => plain.destroy(error)).pipe(plain);
  return plain;
}

/** Complete lines, one chunk's worth at a time. */
async function* blocks(bytes: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of bytes) {
    const end = chunk.lastIndexOf(10);
    if (end < 0) {
      rest = Buffer.concat([rest, chunk]);
      continue;
    }
    const text =
      rest.length === 0
        ? chunk.toString('utf8', 0, end)
        : Buffer.concat([rest, chunk.subarray(0, end)]).toString();
    rest = chunk.subarray(end + 1);
    yield text.split('\n');
  }
  if (rest.length > 0) yield [rest.toString()];
}

/** One object of the output, uploaded while it is written. */
class DayFile {
  readonly #stream = new PassThrough({ highWaterMark: 1 << 20 });
  readonly #upload: Promise<unknown>;
  #block = '';
  #full = false;

  constructor(s3: S3Client, bucket: string, key: string) {
    const params = { Bucket: bucket, Key: key, Body: this.#stream };
    this.#upload = new Upload({ client: s3, params, partSize: 8 << 20, queueSize: 4 }).done();
    this.#upload.catch((error: unknown) => this.#stream.destroy(error as Error));
  }

  add(line: string): void {
    this.#block += line;
    if (this.#block.length >= 65_536) this.#flush();
  }

  async drained(): Promise<void> {
    if (this.#full) await once(this.#stream, 'drain');
    this.#full = false;
  }

  async close(): Promise<void> {
    this.#flush();
    this.#stream.end();
    await this.#upload;
  }

  #flush(): void {
    this.#full = !this.#stream.write(this.#block);
    this.#block = '';
  }
}
