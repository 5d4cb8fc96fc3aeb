import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import avsc from 'avsc';
import { avro, type AvroOptions, type AvroSchema } from '../../../src/formats/avro/index.js';
import { blockCodecs } from '../../../src/formats/avro/codecs.js';

/** A container that avsc writes. */
export async function writtenByAvsc(
  schema: AvroSchema,
  records: readonly unknown[],
  codec = 'null',
  blockSize = 200,
): Promise<Buffer> {
  const encoder = new avsc.streams.BlockEncoder(schema as avsc.Schema, {
    blockSize,
    codec,
    codecs: {
      ...avsc.streams.BlockEncoder.defaultCodecs(),
      snappy: (bytes, done) => {
        done(null, Buffer.from(blockCodecs['snappy']!.compress(bytes)));
      },
    },
  });
  const chunks: Buffer[] = [];
  encoder.on('data', (chunk: Buffer) => chunks.push(chunk));
  for (const record of records) encoder.write(record);
  encoder.end();
  await once(encoder, 'end');
  return Buffer.concat(chunks);
}

/** What avsc reads in a container. */
export async function readByAvsc(content: Uint8Array): Promise<unknown[]> {
  const decoder = new avsc.streams.BlockDecoder({
    codecs: {
      ...avsc.streams.BlockDecoder.defaultCodecs(),
      snappy: (bytes, done) => {
        done(null, blockCodecs['snappy']!.decompress(bytes, Infinity));
      },
    },
  });
  const records: unknown[] = [];
  decoder.on('data', (record: object) => records.push({ ...record }));
  decoder.end(content);
  await once(decoder, 'end');
  return records;
}

/** A container that `avro()` writes, with a checkpoint after each of these numbers of records. */
export function written(
  options: AvroOptions<unknown> & { readonly avroSchema: AvroSchema },
  records: readonly unknown[],
  checkpoints: readonly number[] = [],
): Buffer {
  const chunks: Buffer[] = [];
  const encoder = avro(options).open({ write: (chunk) => chunks.push(Buffer.from(chunk)) });
  for (const [i, record] of records.entries()) {
    encoder.write(record);
    if (checkpoints.includes(i + 1)) encoder.persist!(false);
  }
  encoder.finish();
  return Buffer.concat(chunks);
}

const python = process.env['MILLRACE_TEST_PYTHON'] ?? 'python3';

/** The version of fastavro, if this machine has it; `MILLRACE_TEST_PYTHON` is a Python that has. */
export const fastavro: string | undefined = (() => {
  try {
    const args = ['-c', 'import fastavro; print(fastavro.__version__)'];
    return execFileSync(python, args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  } catch {
    return undefined;
  }
})();

/** Runs a program with the variable `path`, the name of a file with this content, and returns the file and the output. */
export async function byFastavro(
  program: string,
  content: Uint8Array = Buffer.alloc(0),
): Promise<{ readonly file: Buffer; readonly output: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-avro-'));
  const path = join(dir, 'a.avro');
  const head = [
    'import fastavro, json, datetime as dt, decimal, base64',
    `path = ${JSON.stringify(path)}`,
    `if ${content.length === 0 ? 'False' : 'True'}: open(path, 'wb').write(base64.b64decode(${JSON.stringify(Buffer.from(content).toString('base64'))}))`,
  ];
  try {
    const output = execFileSync(python, ['-c', [...head, program].join('\n')]).toString();
    return { file: await readFile(path), output };
  } finally {
    await rm(dir, { recursive: true });
  }
}
