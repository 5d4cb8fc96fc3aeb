/**
 * Dates in responses. The SDK fails the whole request if it cannot parse a date, even one that is not used: an upload that
 * was created would be lost. So dates are rewritten to a form that the SDK parses, and left out if they are invalid.
 */
import type { S3Client } from '@aws-sdk/client-s3';
import { collectBody } from './responses.js';

type Plugin = Parameters<S3Client['middlewareStack']['use']>[0];

interface Response {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  body?: unknown;
}

/** The headers that the SDK parses as dates. Only the first is used. */
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
  'Date',
];

/** The commands whose response documents contain dates. */
const documents: ReadonlySet<string | undefined> = new Set([
  'ListObjectsV2Command',
  'ListMultipartUploadsCommand',
  'ListPartsCommand',
  'CopyObjectCommand',
  'UploadPartCopyCommand',
  'GetBucketLifecycleConfigurationCommand',
  'AssumeRoleCommand',
  'AssumeRoleWithWebIdentityCommand',
  'GetSessionTokenCommand',
]);

export const readableDates: Plugin = {
  applyToStack: (stack) =>
    stack.add(
      (next, context) => async (args) => {
        const result = await next(args);
        const response = result.response as Response;
        readableHeaders(response.headers);
        if (documents.has(context.commandName) && response.statusCode === 200)
          response.body = rewriteElements(await collectBody(response.body));
        return result;
      },
      // Low: before the response is parsed.
      { step: 'deserialize', priority: 'low', name: 'millraceReadableDates' },
    ),
};

/** Rewrites the dates in the headers of a response. */
export function readableHeaders(headers: Record<string, string>): void {
  const [modified, ...unread] = dateHeaders;
  for (const name of unread) Reflect.deleteProperty(headers, name);
  // The SDK signs by the server's clock: an invalid date would break every later signature.
  if (!isTime(Date.parse(headers['date'] ?? ''))) Reflect.deleteProperty(headers, 'date');
  const date = dateOf(headers[modified]);
  if (date === undefined) Reflect.deleteProperty(headers, modified);
  else headers[modified] = date.toUTCString();
}

/** The SDK parses years of four digits only. */
const isTime = (ms: number): boolean => ms >= 0 && ms < Date.UTC(9999, 11, 31);

const elements = new RegExp(`<(${dateElements.join('|')})>([^<]*)</\\1>`, 'g');

function rewriteElements(body: Buffer): Buffer {
  // latin1 maps bytes to characters one to one, so everything else stays as it is in any encoding.
  const text = body.toString('latin1');
  const rewritten = text.replace(elements, (element, name: string, value: string) => {
    const date = dateOf(value);
    if (date === undefined) return '';
    const iso = date.toISOString();
    return iso === value ? element : `<${name}>${iso}</${name}>`;
  });
  return rewritten === text ? body : Buffer.from(rewritten, 'latin1');
}

/** Parses any common form of a date; without a zone, it is UTC. */
function dateOf(given = ''): Date | undefined {
  const text = given.trim();
  if (/^\d{10}(\.\d+)?$/.test(text)) return new Date(Number(text) * 1000);
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return dateOf(`${text}T00:00`);
  // V8 parses any words with a number among them as a date.
  if (!/\d\d?:\d\d/.test(text)) return undefined;
  const zoned = /(GMT|UTC|Z|[+-]\d\d:?\d\d)$/i.test(text);
  const zone = /\dT\d/.test(text) ? 'Z' : ' GMT';
  const date = new Date(zoned ? text : text + zone);
  return isTime(date.getTime()) ? date : undefined;
}
