/**
 * Dates in answers. The SDK fails the whole request where it cannot parse one, even one that nobody reads: an upload
 * that was created, or an object that was read, would be lost to its date. So what the SDK would not parse is rewritten
 * before it gets there, and left out where it is no date at all.
 */
import type { S3Client } from '@aws-sdk/client-s3';
import { collect } from './answers.js';

type Plugin = Parameters<S3Client['middlewareStack']['use']>[0];

interface Response {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  body?: unknown;
}

/** The headers that the SDK parses as dates. Nobody reads but the first. */
export const dateHeaders = [
  'last-modified',
  'expires',
  'x-amz-abort-date',
  'x-amz-object-lock-retain-until-date',
] as const;

/** The elements that the SDK parses as dates. */
export const dateElements: readonly string[] = [
  'LastModified',
  'Initiated',
  'RestoreExpiryDate',
  'Expiration',
];

/** The commands whose documents hold some. */
const documents: ReadonlySet<string | undefined> = new Set([
  'ListObjectsV2Command',
  'ListMultipartUploadsCommand',
  'ListPartsCommand',
  'CopyObjectCommand',
  'UploadPartCopyCommand',
  'AssumeRoleCommand',
  'AssumeRoleWithWebIdentityCommand',
  'GetSessionTokenCommand',
]);

/** Makes the dates of answers such that the SDK parses them. */
export const readableDates: Plugin = {
  applyToStack: (stack) =>
    stack.add(
      (next, context) => async (args) => {
        const result = await next(args);
        const response = result.response as Response;
        rewriteHeaders(response.headers);
        if (documents.has(context.commandName) && response.statusCode === 200)
          response.body = rewriteElements(await collect(response.body));
        return result;
      },
      // Low: the answer passes here before it is parsed.
      { step: 'deserialize', priority: 'low', name: 'millraceReadableDates' },
    ),
};

function rewriteHeaders(headers: Record<string, string>): void {
  const [modified, ...unread] = dateHeaders;
  for (const name of unread) Reflect.deleteProperty(headers, name);
  // The SDK signs by the server's clock: one that shows no time would spoil every later signature.
  if (!isTime(Date.parse(headers['date'] ?? ''))) Reflect.deleteProperty(headers, 'date');
  const date = dateOf(headers[modified]);
  if (date === undefined) Reflect.deleteProperty(headers, modified);
  else headers[modified] = date.toUTCString();
}

/** What the SDK parses: a year has four digits. */
const isTime = (ms: number): boolean => ms >= 0 && ms < Date.UTC(9999, 11, 31);

const elements = new RegExp(`<(${dateElements.join('|')})>([^<]*)</\\1>`, 'g');

function rewriteElements(body: Buffer): Buffer {
  // One character a byte: what is not rewritten stays as it is, in whatever encoding.
  const text = body.toString('latin1');
  const rewritten = text.replace(elements, (element, name: string, value: string) => {
    const date = dateOf(value);
    if (date === undefined) return '';
    const iso = date.toISOString();
    return iso === value ? element : `<${name}>${iso}</${name}>`;
  });
  return rewritten === text ? body : Buffer.from(rewritten, 'latin1');
}

/** Dates of any common form; without a zone, they are UTC. */
function dateOf(given = ''): Date | undefined {
  const text = given.trim();
  if (/^\d{10}(\.\d+)?$/.test(text)) return new Date(Number(text) * 1000);
  // The engine makes a date of any words with a number among them.
  if (!/\d\d?:\d\d/.test(text)) return undefined;
  const zoned = /(GMT|UTC|Z|[+-]\d\d:?\d\d)$/i.test(text);
  const zone = /\dT\d/.test(text) ? 'Z' : ' GMT';
  const date = new Date(zoned ? text : text + zone);
  return isTime(date.getTime()) ? date : undefined;
}
