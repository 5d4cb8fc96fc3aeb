/**
 * Reads what the job has published, like any consumer: by LIST and GET. Does not import millrace.
 */
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';

export interface Place {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Key prefix, ending in a slash. */
  readonly prefix: string;
}

export interface Listed {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
}

/** The job's output records. */
export interface Count {
  readonly user: string;
  readonly day: string;
  /** The running count of this user's clicks of this day, this one included. */
  readonly clicks: number;
  /** The event that was counted. */
  readonly id: number;
}

/** An object that is incomplete or malformed. */
export class Partial extends Error {
  override readonly name = 'Partial';
}

/** Credentials come from the environment. */
export function client({ endpoint, region }: Pick<Place, 'endpoint' | 'region'>): S3Client {
  return new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

export async function* list(s3: S3Client, { bucket, prefix }: Place): AsyncGenerator<Listed> {
  let token: string | undefined;
  do {
    const page = await s3.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        ...(token !== undefined && { ContinuationToken: token }),
      }),
    );
    for (const { Key: key = '', Size: size = 0, ETag: etag = '' } of page.Contents ?? [])
      yield { key, size, etag };
    token = page.NextContinuationToken;
  } while (token !== undefined);
}

/**
 * Reads an object to its end and passes each record to the callback. Throws {@link Partial} if it does not end in a
 * newline, or a line is not a record, or it has fewer bytes than listed.
 *
 * @returns the SHA-256 of its bytes.
 */
export async function read(
  s3: S3Client,
  { bucket }: Place,
  object: Listed,
  on: (record: Count) => void = () => undefined,
): Promise<string> {
  const answer = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: object.key }));
  const hash = createHash('sha256');
  let size = 0;
  const tapped = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of answer.Body as AsyncIterable<Buffer>) {
      size += chunk.length;
      hash.update(chunk);
      yield chunk;
    }
  };
  for await (const block of lines(tapped(), object.key)) {
    for (const line of block) on(parse(line, object.key));
  }
  if (size !== object.size) {
    throw new Partial(
      `${object.key} is listed with ${object.size.toString()} bytes and has ${size.toString()}`,
    );
  }
  return hash.digest('hex');
}

/** Lines without their newlines, one chunk's worth at a time. The last one must end in a newline. */
export async function* lines(bytes: AsyncIterable<Buffer>, name: string): AsyncGenerator<string[]> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of bytes) {
    const last = chunk.lastIndexOf(10);
    if (last < 0) {
      rest = Buffer.concat([rest, chunk]);
      continue;
    }
    const text = Buffer.concat([rest, chunk.subarray(0, last)]).toString('utf8');
    rest = chunk.subarray(last + 1);
    yield text.split('\n');
  }
  if (rest.length > 0)
    throw new Partial(`${name} ends in the middle of a line: ${rest.subarray(0, 80).toString('utf8')}`);
}

function parse(line: string, name: string): Count {
  try {
    const record = JSON.parse(line) as { [field in keyof Count]?: unknown };
    const { user, day, clicks, id } = record;
    if (
      typeof user === 'string' &&
      typeof day === 'string' &&
      Number.isSafeInteger(clicks) &&
      Number.isSafeInteger(id)
    ) {
      return record as Count;
    }
  } catch {
    // Told below, with the line.
  }
  throw new Partial(`${name} holds a line that is no count: ${line.slice(0, 80)}`);
}
