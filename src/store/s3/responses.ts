/**
 * Recognizes responses that are not from S3. Anything between here and the server may respond as well, often with success: a
 * login page, the default backend of a cluster, a cache with the response to another request. A response counts as a
 * success, or as a missing object, only if it looks like S3's:
 *
 * 1. Where S3 sends a document, the response is that document. Any other, or none, is refused. An error document is an
 *    error, whatever the status: S3 itself sends 200 before it knows how a copy or a Complete ends.
 * 2. Where S3 sends nothing, the response is empty.
 * 3. A 404 is not HTML.
 *
 * Each request checks the fields that it needs itself: see `incomplete`.
 */
import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { StoreError, type StoreErrorCode } from '../errors.js';
import { printable } from '../../printable.js';
import { brokenOff } from './failures.js';

type Plugin = Parameters<S3Client['middlewareStack']['use']>[0];

/** The root elements that S3 responds with, by command. */
const documents: Readonly<Record<string, readonly string[]>> = {
  ListObjectsV2Command: ['ListBucketResult'],
  ListMultipartUploadsCommand: ['ListMultipartUploadsResult'],
  ListPartsCommand: ['ListPartsResult'],
  CreateMultipartUploadCommand: ['InitiateMultipartUploadResult'],
  CompleteMultipartUploadCommand: ['CompleteMultipartUploadResult'],
  CopyObjectCommand: ['CopyObjectResult'],
  UploadPartCopyCommand: ['CopyPartResult', 'CopyObjectResult'],
  DeleteObjectsCommand: ['DeleteResult'],
  GetBucketLifecycleConfigurationCommand: ['LifecycleConfiguration'],
};

const empty: readonly string[] = ['DeleteObjectCommand', 'AbortMultipartUploadCommand'];

interface Response {
  statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  body?: unknown;
}

interface Input {
  readonly Bucket?: string;
  readonly Key?: string;
}

/**
 * Refuses responses that are not S3's; the outcome of the request is then unknown. Errors: `NotSupported`; `Unavailable` for
 * a 404, which clusters send while a service moves.
 */
export const checkResponses: Plugin = {
  applyToStack: (stack) =>
    stack.add(
      (next, { commandName = '' }) =>
        async (args) => {
          const result = await next(args);
          const response = result.response as Response;
          const success = response.statusCode >= 200 && response.statusCode < 300;
          const roots = success ? documents[commandName] : undefined;
          const nothing = success && empty.includes(commandName);
          const missing = response.statusCode === 404 && isHtml(response);
          if (roots === undefined && !nothing && !missing) {
            if (response.statusCode >= 400) response.body = await collectBody(response.body);
            return result;
          }
          const body = await collectBody(response.body);
          const root = rootOf(body);
          response.body = roots === undefined ? body : withoutReferences(body);
          if (success && root === 'Error') response.statusCode = 500;
          else if (missing || !(roots?.includes(root ?? '') ?? isBlank(body)))
            throw notFromS3(commandName, args.input as Input, response, root);
          return result;
        },
      // Low: before any other middleware sees the response.
      { step: 'deserialize', priority: 'low', name: 'millraceCheckResponses' },
    ),
};

/** The error of a response that lacks a required field, or contradicts itself or the request. */
export function incomplete(
  operation: string,
  what: string | undefined,
  why: string,
  code: StoreErrorCode = 'NotSupported',
): StoreError {
  const message = printable(`${operation}${what === undefined ? '' : ` ${what}`}: ${why}`);
  return new StoreError(code, message, code === 'NotSupported' ? { status: 200 } : {});
}

function isHtml({ headers }: Response): boolean {
  return /^\s*text\/html\b/i.test(headers['content-type'] ?? '');
}

function notFromS3(command: string, { Bucket, Key }: Input, response: Response, root?: string): StoreError {
  const { statusCode: status, headers, body } = response;
  const where = printable(`s3://${Bucket ?? ''}${Key === undefined ? '' : `/${Key}`}`);
  const type = headers['content-type'];
  const found =
    root !== undefined
      ? `a document <${root}>`
      : isBlank(body as Uint8Array) && !isHtml(response)
        ? 'nothing'
        : `a body of type ${type ?? 'unknown'}`;
  return new StoreError(
    status === 404 ? 'Unavailable' : 'NotSupported',
    `${command.replace(/Command$/, '')} ${where}: ${status} with ${printable(found)}, which is not an S3 response. Check the endpoint, and whether a proxy or a login page is in between.`,
    { status },
  );
}

/** Bytes. S3's documents are smaller: a page of a listing has at most 1,000 keys of 1 KiB. */
const largest = 64 * 2 ** 20;

/** Collects a body, which may be collected already. Rejects if it breaks off or is too large. */
export function collectBody(body: unknown): Promise<Buffer> {
  if (body === undefined) return Promise.resolve(Buffer.alloc(0));
  if (body instanceof Uint8Array) return Promise.resolve(Buffer.from(body));
  const stream = body as Readable;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let left = largest;
    stream.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left >= 0) chunks.push(chunk);
      else {
        reject(tooLarge());
        stream.destroy();
      }
    });
    const onClose = (): void => reject(brokenOff());
    stream.once('end', () => {
      stream.off('close', onClose);
      resolve(Buffer.concat(chunks));
    });
    stream.once('error', reject);
    stream.once('close', onClose);
  });
}

function tooLarge(): StoreError {
  return new StoreError(
    'NotSupported',
    `The answer is a document of more than ${largest / 2 ** 20} MiB, which is none of S3's. Something else answers there: check the endpoint, and whether a proxy is in between.`,
    { status: 200 },
  );
}

/** The name of the root element. A declaration, comments, and the spaces that S3 sends while it works may precede it. */
function rootOf(body: Buffer): string | undefined {
  const text = body.toString('latin1');
  const next = /\s*(?:(<\?|<!--)|<([A-Za-z_][\w:.-]*))/y;
  next.lastIndex = text.startsWith('\xef\xbb\xbf') ? 3 : 0;
  for (;;) {
    const match = next.exec(text);
    if (match === null || match[2] !== undefined) return match?.[2];
    const end = match[1] === '<?' ? '?>' : '-->';
    const at = text.indexOf(end, next.lastIndex);
    if (at < 0) return undefined;
    next.lastIndex = at + end.length;
  }
}

const blanks: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

function isBlank(body: Uint8Array): boolean {
  return body.every((byte) => blanks.has(byte));
}

/** The SDK's parser truncates character references beyond the basic plane to 16 bits. */
function withoutReferences(body: Buffer): Buffer {
  if (!body.includes('&#')) return body;
  const text = body
    .toString('utf8')
    .replace(/&#(?:x([0-9a-f]{5,6})|(\d{5,7}));/gi, (all, hex?: string, decimal?: string) => {
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return code > 0xffff && code <= 0x10ffff ? String.fromCodePoint(code) : all;
    });
  return Buffer.from(text);
}
