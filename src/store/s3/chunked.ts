/**
 * Sends bodies as `aws-chunked`: in chunks, each optionally with a signature chained to the previous one, followed by a
 * checksum trailer.
 *
 * 1. Before the request is signed, its headers describe the body: `x-amz-content-sha256` names the form, and
 *    `content-length` includes the framing.
 * 2. After it is signed, the body is cut into chunks. They are views: nothing is joined or copied.
 */
import { createHash, createHmac } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';
import { checksumOf, type ChecksumKind } from '../checksums.js';
import type { ResolvedOptions } from './options.js';

type Plugin = Parameters<S3Client['middlewareStack']['use']>[0];

interface Request {
  readonly headers: Record<string, string>;
  body?: unknown;
}

/** Bytes. Some servers accept at most 16 MiB, AWS at least 8 KiB. */
const chunkSize = 1024 * 1024;

const commands: readonly unknown[] = ['PutObjectCommand', 'UploadPartCommand'];

export function chunkedBodies(options: Pick<ResolvedOptions, 'checksum' | 'unsignedPayload'>): Plugin {
  const signed = (context: object): boolean => !options.unsignedPayload && identityOf(context) !== undefined;
  // Unsigned chunks require a trailer.
  const kindOf = (context: object) => options.checksum ?? (signed(context) ? undefined : 'crc32');
  return {
    applyToStack: (stack) => {
      stack.add(
        (next, context) => (args) => {
          const { headers, body } = (args as { request: Request }).request;
          if (commands.includes(context.commandName) && body instanceof Uint8Array)
            announce(headers, body, kindOf(context), signed(context));
          return next(args);
        },
        { step: 'build', priority: 'low', name: 'millraceChunkedHeaders' },
      );
      // Low: after signing.
      stack.add(
        (next, context) => (args) => {
          const { request } = args as { request: Request };
          const { headers, body } = request;
          if (
            headers['x-amz-content-sha256']?.startsWith('STREAMING-') === true &&
            body instanceof Uint8Array
          ) {
            const kind = kindOf(context);
            const sign = signed(context)
              ? chain(headers, identityOf(context)?.secretAccessKey ?? '')
              : undefined;
            request.body = encode(body, trailer(kind, kind && checksumOf(kind, body)), sign);
          }
          return next(args);
        },
        { step: 'finalizeRequest', priority: 'low', name: 'millraceChunkedBody' },
      );
    },
  };
}

/** Describes the chunked body in the headers. */
function announce(
  headers: Record<string, string>,
  body: Uint8Array,
  kind: ChecksumKind | undefined,
  signed: boolean,
): void {
  const form = `STREAMING-${signed ? 'AWS4-HMAC-SHA256' : 'UNSIGNED'}-PAYLOAD`;
  headers['x-amz-content-sha256'] = kind === undefined ? form : `${form}-TRAILER`;
  headers['x-amz-decoded-content-length'] = String(body.length);
  const before = headers['content-encoding'];
  headers['content-encoding'] = before === undefined ? 'aws-chunked' : `${before},aws-chunked`;
  if (kind !== undefined) headers['x-amz-trailer'] = `x-amz-checksum-${kind}`;
  const blank = kind === 'crc64nvme' ? 12 : 8;
  const pieces = encode(body, trailer(kind, '='.repeat(blank)), signed ? () => '0'.repeat(64) : undefined);
  headers['content-length'] = String(pieces.reduce((sum, piece) => sum + piece.length, 0));
}

/** The line after the last chunk, or an empty string. */
function trailer(kind: ChecksumKind | undefined, value = ''): string {
  return kind === undefined ? '' : `x-amz-checksum-${kind}:${value}`;
}

/** Signs the next chunk or the trailers. */
type Sign = (kind: 'PAYLOAD' | 'TRAILER', data: Uint8Array | string) => string;

function encode(body: Uint8Array, trailing: string, sign: Sign | undefined): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const chunk = (data: Uint8Array): void => {
    const signature = sign === undefined ? '' : `;chunk-signature=${sign('PAYLOAD', data)}`;
    pieces.push(Buffer.from(`${data.length.toString(16)}${signature}\r\n`, 'latin1'));
    if (data.length > 0) pieces.push(data, lineEnd);
  };
  for (let at = 0; at < body.length; at += chunkSize) chunk(body.subarray(at, at + chunkSize));
  chunk(body.subarray(body.length));
  let end = trailing === '' ? '' : `${trailing}\r\n`;
  if (trailing !== '' && sign !== undefined)
    end += `x-amz-trailer-signature:${sign('TRAILER', `${trailing}\n`)}\r\n`;
  pieces.push(Buffer.from(`${end}\r\n`, 'latin1'));
  return pieces;
}

const lineEnd = Buffer.from('\r\n');

/** Chains the chunks' signatures to the request's. */
function chain(headers: Readonly<Record<string, string>>, secret: string): Sign {
  const [, scope = '', seed = ''] =
    /Credential=[^/]+\/([^,]+),.*Signature=([0-9a-f]+)/.exec(headers['authorization'] ?? '') ?? [];
  const date = headers['x-amz-date'] ?? '';
  const key = scope
    .split('/')
    .reduce(
      (made: Buffer | string, step) => createHmac('sha256', made).update(step).digest(),
      `AWS4${secret}`,
    );
  const nothing = sha256('');
  let previous = seed;
  return (kind, data) => {
    const hashes = kind === 'PAYLOAD' ? `${nothing}\n${sha256(data)}` : sha256(data);
    const text = `AWS4-HMAC-SHA256-${kind}\n${date}\n${scope}\n${previous}\n${hashes}`;
    return (previous = createHmac('sha256', key).update(text).digest('hex'));
  };
}

function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

interface Identity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The identity that signs the request; `undefined` if it is not signed. */
function identityOf(context: object): Identity | undefined {
  const { __smithy_context: chosen } = context as {
    readonly __smithy_context?: { readonly selectedHttpAuthScheme?: { readonly identity?: Identity } };
  };
  const identity = chosen?.selectedHttpAuthScheme?.identity;
  return identity?.accessKeyId === '' ? undefined : identity;
}
