/** Rows of text to one object, compressed or as CSV: by a whole job, and by the loop that one would write with the same libraries. */
import { createJob, csv, fileSink, ndjson, type FileSinkOptions } from 'millrace';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  UploadPartCommand,
  type CompletedPart,
  type S3Client,
} from '@aws-sdk/client-s3';
import Papa from 'papaparse';
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { s3Client } from '../baselines/s3Client.js';
import type { Params, Start } from '../harness/workload.js';
import { visit, visits, type Visit } from '../synthetic/visits.js';
import { storesOf } from './stores.js';

const partSize = 8 << 20;
const inFlight = 4;
/** Content of a gzip member, as of the sink. */
const memberBytes = 256 << 10;
/** Rows that the loop converts at a time. */
const batchRows = 500;
const columns = ['id', 'user', 'at', 'price'];

/** Writes `rows` rows to one object below the prefix. */
type Writes = (client: S3Client, target: { Bucket: string; prefix: string }, rows: number) => Promise<void>;

/** Params: the server, `bucket`, `prefix`, `rows`. The result is the content, not compressed. */
const writing =
  (writes: (params: Params) => { readonly write: Writes; close(): void }): Start =>
  (params) => {
    const client = s3Client(params);
    const { write, close } = writes(params);
    const Bucket = String(params['bucket']);
    const rows = Number(params['rows']);
    let round = 0;
    return {
      async round() {
        const prefix = `${String(params['prefix'])}/${process.pid}-${++round}`;
        await write(client, { Bucket, prefix }, rows);
        return { digest: () => contentOf(client, Bucket, `${prefix}/`), amount: rows };
      },
      close() {
        client.destroy();
        close();
        return Promise.resolve();
      },
    };
  };

async function contentOf(client: S3Client, Bucket: string, Prefix: string): Promise<string> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix }));
  const [object] = Contents;
  if (object?.Key === undefined || Contents.length > 1)
    throw new Error(`${Contents.length} objects were written, not one`);
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: object.Key }));
  const stored = Buffer.from((await Body?.transformToByteArray()) ?? []);
  const content = object.Key.endsWith('.gz') ? gunzipSync(stored) : stored;
  return `${createHash('sha1').update(content).digest('hex')}, ${content.length} bytes`;
}

const byJob = (sink: Pick<FileSinkOptions<Visit>, 'format' | 'compression'>): Start =>
  writing((params) => {
    const server = storesOf(params);
    return {
      write: async (_, { Bucket, prefix }, rows) => {
        const job = createJob({
          name: prefix.replaceAll('/', '-'),
          checkpoints: { dir: 'memory://bench/checkpoints', interval: '1s' },
          stores: server.stores,
        });
        await job.run(
          job.source('visits', visits(rows)).pipe(
            fileSink('out', `s3://${Bucket}/${prefix}`, {
              ...sink,
              partSize,
              inFlight,
              roll: { size: '8GiB', age: '1h', inactivity: '1h' },
            }),
          ),
        );
      },
      close: () => server.close(),
    };
  });

/** @param blocks gives the bytes of the object, in order */
const byLoop = (extension: string, blocks: (rows: number) => Iterable<Buffer>): Start =>
  writing(() => ({
    write: async (client, { Bucket, prefix }, rows) => {
      const upload = new PartsUpload(client, { Bucket, Key: `${prefix}/out${extension}` });
      for (const block of blocks(rows)) await upload.write(block);
      await upload.close();
    },
    close: () => undefined,
  }));

export const gzipByJob = byJob({ format: ndjson(), compression: 'gzip' });
export const csvByJob = byJob({ format: csv({ columns }) });

/** Members of the same size, so that a reader can begin at any of them. */
export const gzipByLoop = byLoop('.gz', function* (rows) {
  let text = '';
  for (let id = 0; id < rows; id++) {
    text += `${JSON.stringify(visit(id))}\n`;
    if (text.length < memberBytes) continue;
    yield gzipSync(text);
    text = '';
  }
  if (text !== '') yield gzipSync(text);
});

export const csvByLoop = byLoop('.csv', function* (rows) {
  for (let from = 0; from < rows; from += batchRows) {
    const batch = Array.from({ length: Math.min(batchRows, rows - from) }, (_, i) => visit(from + i));
    const text = Papa.unparse(batch, { columns, header: from === 0, newline: '\n' });
    yield Buffer.from(`${text}\n`);
  }
});

/** A multipart upload with some parts in flight. */
class PartsUpload {
  readonly #created: Promise<string | undefined>;
  readonly #running = new Set<Promise<void>>();
  readonly #parts: CompletedPart[] = [];
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(
    private readonly client: S3Client,
    private readonly target: { readonly Bucket: string; readonly Key: string },
  ) {
    this.#created = client.send(new CreateMultipartUploadCommand(target)).then(({ UploadId }) => UploadId);
  }

  async write(chunk: Buffer): Promise<void> {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < partSize) return;
    const all = Buffer.concat(this.#chunks, this.#length);
    const rest = all.subarray(partSize);
    this.#chunks = [rest];
    this.#length = rest.length;
    this.#send(all.subarray(0, partSize));
    if (this.#running.size >= inFlight) await Promise.race(this.#running);
  }

  async close(): Promise<void> {
    this.#send(Buffer.concat(this.#chunks, this.#length));
    await Promise.all(this.#running);
    const UploadId = await this.#created;
    await this.client.send(
      new CompleteMultipartUploadCommand({
        ...this.target,
        UploadId,
        MultipartUpload: { Parts: this.#parts },
      }),
    );
  }

  #send(Body: Buffer): void {
    const PartNumber = this.#parts.push({});
    const sent = (async () => {
      const UploadId = await this.#created;
      const { ETag } = await this.client.send(
        new UploadPartCommand({ ...this.target, UploadId, PartNumber, Body }),
      );
      this.#parts[PartNumber - 1] = { ETag, PartNumber };
    })().finally(() => this.#running.delete(sent));
    this.#running.add(sent);
  }
}
