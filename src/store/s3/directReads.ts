/**
 * Reads without the SDK's middleware, which takes more processor time than a small object itself.
 *
 * 1. The first GetObject of a bucket goes through the SDK. The request that it sends is the pattern of later ones: host, path before
 *    the key, query and headers. A request with anything that is not known here makes no pattern.
 * 2. A later one that asks for nothing but a key, a range and an ETag is made from the pattern, signed (AWS Signature Version 4) and
 *    sent.
 * 3. Only a success is taken. Any other response, or an error, is handed to the SDK as the response to its own request: so
 *    errors, redirects to other regions, expired credentials and a wrong clock are treated in one place, and a repeated request is the
 *    SDK's.
 */
import { createHash, createHmac } from 'node:crypto';
import { GetObjectCommand, type GetObjectCommandOutput, type S3Client } from '@aws-sdk/client-s3';
import { readableHeaders } from './dates.js';
import {
  escapeUri,
  type Answered,
  type HttpHandler,
  type WireRequest,
  type WireResponse,
} from './httpHandler.js';

interface Input {
  readonly Bucket?: string;
  readonly Key?: string;
  readonly IfMatch?: string;
  readonly Range?: string;
}

interface Command {
  readonly input: Input;
}

interface SendOptions {
  readonly abortSignal?: AbortSignal;
}

/** What the handler of the client is told beside. */
interface HandlerOptions extends SendOptions {
  readonly answered?: Answered;
  readonly seen?: (request: WireRequest) => void;
}

type Send = (command: Command, options?: HandlerOptions) => Promise<unknown>;

/** The part of the SDK's configuration that signing needs. */
interface Config {
  readonly systemClockOffset: number;
  credentials(): Promise<Secrets>;
}

interface Secrets {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** What the requests of a bucket have in common. */
interface Pattern {
  readonly to: Pick<WireRequest, 'protocol' | 'hostname' | 'port' | 'query'>;
  /** The path before the key. */
  readonly base: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly region: string;
  readonly checksumMode: string | undefined;
}

/** Makes `client` send plain reads over `handler` by itself. `asksForChecksum`: whole objects are checked. */
export function withDirectReads(client: S3Client, handler: HttpHandler, asksForChecksum: boolean): void {
  const send = client.send.bind(client) as unknown as Send;
  const config = client.config as unknown as Config;
  const patterns = new Map<string, Pattern>();
  const signer = new Signer();
  const checksumMode = asksForChecksum ? 'ENABLED' : undefined;
  const through: Send = async (command, options = {}) => {
    const { input } = command;
    if (!(command instanceof GetObjectCommand) || !isPlain(input)) return send(command, options);
    const { Bucket = '', Key = '' } = input;
    const pattern = patterns.get(Bucket);
    if (pattern === undefined) {
      const seen = (request: WireRequest): void => {
        const found = patternOf(request, Key, checksumMode);
        if (found !== undefined) patterns.set(Bucket, found);
      };
      return send(command, { ...options, seen });
    }
    const secrets = await config.credentials();
    const request = signer.signed(requestOf(pattern, input), pattern, secrets, now(config));
    let answered: Answered;
    try {
      const { response } = await handler.handle(request, options);
      if (response.statusCode === 200 || response.statusCode === 206) return outputOf(response);
      answered = { response };
    } catch (error) {
      answered = { error: error as Error };
    }
    return send(command, { ...options, answered });
  };
  client.send = through as unknown as typeof client.send;
}

const now = ({ systemClockOffset }: Config): Date => new Date(Date.now() + systemClockOffset);

const plain: ReadonlySet<string> = new Set<keyof Input>(['Bucket', 'Key', 'IfMatch', 'Range']);

function isPlain(input: object): boolean {
  return Object.entries(input).every(([name, value]) => value === undefined || plain.has(name));
}

/** Headers that each request has of its own. */
const own = new Set([
  'authorization',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-checksum-mode',
  'amz-sdk-invocation-id',
  'amz-sdk-request',
  'range',
  'if-match',
]);
const common = new Set(['host', 'user-agent', 'x-amz-user-agent', 'x-amz-content-sha256', 'accept']);

const scheme = /^AWS4-HMAC-SHA256 Credential=[^,]*\/\d{8}\/([^/,]+)\/s3\/aws4_request,/;

const emptyHash = createHash('sha256').digest('hex');

/** `undefined` if there is anything in the request that is not known here. */
function patternOf(
  { protocol, hostname, port, path, query, headers, method }: WireRequest,
  key: string,
  checksumMode: string | undefined,
): Pattern | undefined {
  const kept: Record<string, string> = {};
  let authorization = '';
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase();
    if (name === 'authorization') authorization = value;
    if (common.has(name)) kept[name] = value;
    else if (!own.has(name)) return undefined;
  }
  const region = scheme.exec(authorization)?.[1];
  const end = pathOf(key);
  const known = kept['host'] !== undefined && kept['x-amz-content-sha256'] === emptyHash;
  if (method !== 'GET' || region === undefined || !known || !path.endsWith(end)) return undefined;
  const to = {
    protocol,
    hostname,
    ...(port === undefined ? {} : { port }),
    ...(query === undefined ? {} : { query }),
  };
  return { to, base: path.slice(0, path.length - end.length), headers: kept, region, checksumMode };
}

function pathOf(key: string): string {
  return `/${key.split('/').map(escapeUri).join('/')}`;
}

function requestOf(
  { to, base, headers, checksumMode }: Pattern,
  { Key = '', Range, IfMatch }: Input,
): WireRequest & { readonly headers: Record<string, string> } {
  return {
    ...to,
    method: 'GET',
    path: base + pathOf(Key),
    headers: {
      ...headers,
      ...(Range === undefined ? {} : { range: Range }),
      ...(IfMatch === undefined ? {} : { 'if-match': IfMatch }),
      ...(checksumMode === undefined || Range !== undefined ? {} : { 'x-amz-checksum-mode': checksumMode }),
    },
  };
}

/** Signs requests. Keeps the key of a day, which takes four HMACs. */
class Signer {
  #key: { readonly of: string; readonly key: Buffer } | undefined;

  signed(
    request: WireRequest,
    { region }: Pattern,
    { accessKeyId, secretAccessKey, sessionToken }: Secrets,
    time: Date,
  ): WireRequest {
    const date = time.toISOString().replace(/[-:]|\.\d{3}/g, '');
    const day = date.slice(0, 8);
    const scope = `${day}/${region}/s3/aws4_request`;
    const headers: Record<string, string> = {
      ...request.headers,
      'x-amz-date': date,
      ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
    };
    const names = Object.keys(headers)
      .filter((name) => name === 'host' || name.startsWith('x-amz-'))
      .sort();
    const list = names.join(';');
    const lines = names.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/ +/g, ' ')}\n`);
    const canonical = `GET\n${request.path}\n${canonicalQuery(request.query)}\n${lines.join('')}\n${list}\n${emptyHash}`;
    const text = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${createHash('sha256').update(canonical).digest('hex')}`;
    const signature = hmac(this.#keyOf(secretAccessKey, day, region), text).toString('hex');
    headers['authorization'] =
      `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${list}, Signature=${signature}`;
    return { ...request, headers };
  }

  #keyOf(secret: string, day: string, region: string): Buffer {
    const of = `${secret} ${day} ${region}`;
    if (this.#key?.of !== of) {
      const key = [day, region, 's3', 'aws4_request'].reduce<Buffer | string>(hmac, `AWS4${secret}`);
      this.#key = { of, key: key as Buffer };
    }
    return this.#key.key;
  }
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function canonicalQuery(query: WireRequest['query'] = {}): string {
  return Object.keys(query)
    .sort()
    .flatMap((name) => [query[name] ?? ''].flat().map((value) => `${escapeUri(name)}=${escapeUri(value)}`))
    .join('&');
}

const fields = {
  ETag: 'etag',
  ContentRange: 'content-range',
  ContentType: 'content-type',
  ContentEncoding: 'content-encoding',
  ContentDisposition: 'content-disposition',
  ContentLanguage: 'content-language',
  CacheControl: 'cache-control',
  ChecksumCRC32: 'x-amz-checksum-crc32',
  ChecksumCRC32C: 'x-amz-checksum-crc32c',
  ChecksumCRC64NVME: 'x-amz-checksum-crc64nvme',
  ChecksumType: 'x-amz-checksum-type',
  StorageClass: 'x-amz-storage-class',
} as const satisfies Partial<Record<keyof GetObjectCommandOutput, string>>;

const metaPrefix = 'x-amz-meta-';

/** The fields of the SDK's output that are used. */
function outputOf({ statusCode, headers, body }: WireResponse): GetObjectCommandOutput {
  readableHeaders(headers);
  const metadata: Record<string, string> = {};
  for (const name of Object.keys(headers))
    if (name.startsWith(metaPrefix)) metadata[name.slice(metaPrefix.length)] = headers[name] ?? '';
  const output: Record<string, unknown> = { Metadata: metadata };
  for (const [field, name] of Object.entries(fields))
    if (headers[name] !== undefined) output[field] = headers[name];
  const { 'content-length': length, 'last-modified': modified } = headers;
  if (length !== undefined) output['ContentLength'] = /^\d+$/.test(length) ? Number(length) : undefined;
  if (modified !== undefined) output['LastModified'] = new Date(modified);
  return {
    ...output,
    $metadata: { httpStatusCode: statusCode },
    Body: body as NonNullable<GetObjectCommandOutput['Body']>,
  };
}
