import { MillraceError } from '../../errors.js';
import { printable } from '../../printable.js';
import { StoreError, type StoreErrorCode, type StoreErrorOptions } from '../errors.js';
import { demandsChecksum } from './contentMd5.js';
import { reasonOf, type Reason } from './failures.js';

/** The requests of the adapter, and the IAM actions that each needs. */
const actions = {
  HeadObject: 's3:GetObject, and s3:ListBucket to tell a missing object from a forbidden one',
  GetObject: 's3:GetObject, and s3:ListBucket to tell a missing object from a forbidden one',
  PutObject: 's3:PutObject',
  ListObjectsV2: 's3:ListBucket',
  DeleteObject: 's3:DeleteObject',
  DeleteObjects: 's3:DeleteObject',
  CopyObject: 's3:GetObject and s3:PutObject',
  CreateMultipartUpload: 's3:PutObject',
  UploadPart: 's3:PutObject',
  UploadPartCopy: 's3:GetObject and s3:PutObject',
  ListParts: 's3:ListMultipartUploadParts',
  ListMultipartUploads: 's3:ListBucketMultipartUploads',
  CompleteMultipartUpload: 's3:PutObject',
  AbortMultipartUpload: 's3:AbortMultipartUpload',
  CreateBucket: 's3:CreateBucket',
  GetBucketLifecycleConfiguration: 's3:GetLifecycleConfiguration',
} as const;

export type S3Operation = keyof typeof actions;

/** The failed request: its message and the meaning of a status depend on it. */
export interface Asked {
  readonly operation: S3Operation;
  readonly bucket: string;
  readonly key?: string;
  readonly ifNoneMatch?: boolean;
  readonly ifMatch?: boolean;
  /** Describes the features it uses that some servers lack. */
  readonly wanted?: string;
  /** It carries a customer's key. */
  readonly sealed?: boolean;
  /** It sets an ACL. */
  readonly acl?: boolean;
  /** It sets tags. */
  readonly tagged?: boolean;
}

const codes: ReadonlyMap<string, StoreErrorCode> = new Map<string, StoreErrorCode>(
  Object.entries({
    NoSuchKey: 'NotFound',
    NoSuchUpload: 'NotFound',
    NoSuchBucket: 'NotFound',
    NotFound: 'NotFound',
    NotModified: 'NotModified',
    PreconditionFailed: 'PreconditionFailed',
    ConditionalRequestConflict: 'Conflict',
    OperationAborted: 'Conflict',
    AccessDenied: 'PermissionDenied',
    AllAccessDisabled: 'PermissionDenied',
    AccountProblem: 'PermissionDenied',
    InvalidAccessKeyId: 'PermissionDenied',
    SignatureDoesNotMatch: 'PermissionDenied',
    InvalidToken: 'PermissionDenied',
    CredentialsProviderError: 'PermissionDenied',
    ExpiredToken: 'Expired',
    ExpiredTokenException: 'Expired',
    TokenRefreshRequired: 'Expired',
    SlowDown: 'Throttled',
    TooManyRequests: 'Throttled',
    Throttling: 'Throttled',
    ThrottlingException: 'Throttled',
    'KMS.ThrottlingException': 'Throttled',
    RequestLimitExceeded: 'Throttled',
    RequestTimeout: 'Unavailable',
    RequestTimeTooSkewed: 'InvalidRequest',
    InternalError: 'Unavailable',
    BadDigest: 'Integrity',
    InvalidDigest: 'Integrity',
    IncompleteBody: 'Integrity',
    XAmzContentSHA256Mismatch: 'Integrity',
    EntityTooSmall: 'TooSmall',
    InvalidPart: 'InvalidPart',
    InvalidPartOrder: 'InvalidPart',
    NotImplemented: 'NotSupported',
    MethodNotAllowed: 'NotSupported',
    InvalidObjectState: 'NotSupported',
  }),
);

function codeOfStatus(status: number | undefined): StoreErrorCode {
  if (status === undefined || status === 408) return 'Unavailable';
  if (status === 304) return 'NotModified';
  if (status === 401 || status === 403) return 'PermissionDenied';
  if (status === 404) return 'NotFound';
  if (status === 405 || status === 501 || status === 505) return 'NotSupported';
  if (status === 409) return 'Conflict';
  if (status === 412) return 'PreconditionFailed';
  if (status === 429 || status === 503) return 'Throttled';
  // `region.ts` follows redirects that name a region. Others lead away from S3: to a login page, or a host that DNS will soon have.
  if (status === 302 || status === 303 || status === 307 || status === 308) return 'Unavailable';
  return status >= 500 || status < 300 ? 'Unavailable' : 'InvalidRequest';
}

const region =
  'The bucket is in another region: set `region` to the bucket’s (`aws s3api get-bucket-location` shows it)';

const advice: ReadonlyMap<string, string> = new Map<string, string>(
  Object.entries({
    NoSuchBucket: 'There is no such bucket: create it, or correct the name, endpoint or account',
    InvalidAccessKeyId:
      'The server does not know this access key id: check which credentials are used, and the endpoint',
    SignatureDoesNotMatch:
      'The signature is wrong: check the secret access key (and that no proxy alters requests)',
    InvalidToken: 'The session token does not belong to this access key: refresh the credentials',
    ExpiredToken: 'The session token has expired: refresh the credentials',
    RequestTimeTooSkewed:
      'This machine’s clock differs from the server’s, and the answer does not show by how much: synchronize it with NTP',
    PermanentRedirect: region,
    AuthorizationHeaderMalformed: region,
    IllegalLocationConstraintException: region,
    EntityTooSmall:
      'A part but the last is below the server’s minimum part size: raise the part size (AWS: 5 MiB)',
    AccessControlListNotSupported:
      'The bucket does not accept ACLs: remove `s3.acl`, or set it to bucket-owner-full-control',
    InvalidObjectState: 'The object is archived: restore it from its storage class first',
  }),
);

const badKey =
  'Check the KMS key: that it is in the bucket’s region and enabled, and that its policy allows kms:GenerateDataKey and kms:Decrypt';

/** Ceph RGW has no default key. */
const wantsKey = 'This server requires the key id: set `s3.sse.kms.key-id` (in code, `sse.kms.keyId`)';

/** Object Lock. */
const wantsChecksum =
  'This bucket requires a checksum with every body: set `s3.integrity-check-algorithm` (in code, `checksum`) to CRC32, or to MD5 if the server knows no other';

/** The fields of the SDK's errors that are used. */
interface SdkError {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  /** Set if the server itself reported an error. */
  readonly $fault?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
  readonly $response?: { readonly statusCode?: number; readonly headers?: SdkHeaders };
}

type SdkHeaders = Readonly<Record<string, string>>;

/** The throttling that an SDK error reports; `undefined` for other errors. `retryAfter` in milliseconds. */
export function throttleOf(raw: unknown): { readonly retryAfter?: number } | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined;
  const { name, $metadata, $response } = raw as SdkError;
  const status = $metadata?.httpStatusCode ?? $response?.statusCode;
  const code = (typeof name === 'string' ? codes.get(name) : undefined) ?? codeOfStatus(status);
  if (code !== 'Throttled') return undefined;
  const retryAfter = retryAfterOf($response?.headers);
  return retryAfter === undefined ? {} : { retryAfter };
}

/** In milliseconds. The header has seconds or a date, which is compared with the server's own clock if the response has it. */
function retryAfterOf(headers: SdkHeaders = {}): number | undefined {
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(text)) return Number(text) * 1000;
  const ms = Date.parse(text) - (Date.parse(headers['date'] ?? '') || Date.now());
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/**
 * Translates an SDK error: first by the server's code, then by the status (responses to HEAD and some servers' errors have no
 * code), and without a readable response by the reason of the failure. `certain` overrides it.
 *
 * The SDK's error itself is not passed on, not even as `cause`: it refers to the request with its session token, and
 * servers echo what was signed into error documents.
 */
export function toStoreError(raw: unknown, asked: Asked, certain?: Reason): MillraceError {
  if (raw instanceof StoreError && certain !== undefined)
    return new StoreError(certain.code, raw.message, raw.status === undefined ? {} : { status: raw.status });
  if (raw instanceof MillraceError) return raw;
  const error = (typeof raw === 'object' && raw !== null ? raw : {}) as SdkError;
  const text = typeof error.message === 'string' ? error.message : '';
  const name = typeof error.name === 'string' ? error.name : '';
  const status = error.$metadata?.httpStatusCode ?? error.$response?.statusCode;
  const system = typeof error.code === 'string' ? error.code : undefined;
  const known = codes.get(name);
  const answered = status !== undefined;
  const reason =
    certain ??
    (known === undefined
      ? reasonOf({ name, text, code: system, status, refused: error.$fault !== undefined })
      : undefined);
  const code = specific(known ?? reason?.code ?? codeOfStatus(status), name, asked);
  // The SDK's names for a response without a code.
  const named =
    /^[A-Z][A-Za-z0-9]{1,99}$/.test(name) &&
    !['Error', 'Unknown', 'UnknownError', 'SyntaxError'].includes(name);
  const serverCode = answered && named ? name : known && name;
  const what =
    (name.startsWith('KMS.') && code !== 'Throttled' ? badKey : advice.get(name)) ??
    reason?.advice ??
    aboutCustomerKey(status, name, text, asked) ??
    (code === 'PermissionDenied' ? forbidden(text, asked) : undefined) ??
    redirect(status, error.$response?.headers) ??
    (demandsChecksum(error) ? wantsChecksum : undefined) ??
    (/aws-kms-key-id/i.test(text) ? wantsKey : undefined);
  const said = answered
    ? serverText(serverCode, status, text)
    : (system ?? (name || 'no answer')) + detail(text);
  const where = printable(`s3://${asked.bucket}${asked.key === undefined ? '' : `/${asked.key}`}`);
  return new StoreError(code, `${asked.operation} ${where}: ${said}. ${what ?? general(code, asked)}.`, {
    ...(serverCode === undefined || serverCode === '' ? {} : { serverCode }),
    ...(answered ? { status } : {}),
    ...throttleOf(raw),
    cause: cause(name, text, system, error.$metadata?.requestId),
  } satisfies StoreErrorOptions);
}

/** The same status means different things to different requests. */
function specific(code: StoreErrorCode, name: string, asked: Asked): StoreErrorCode {
  if (code === 'PreconditionFailed' && asked.ifNoneMatch === true) return 'AlreadyExists';
  // AWS responds to a conditional put of a missing object with 404 instead of 412.
  const missing = code === 'NotFound' && name !== 'NoSuchBucket';
  return missing && asked.operation === 'PutObject' && asked.ifMatch === true ? 'PreconditionFailed' : code;
}

/** Shows only the host: the rest of a login page's URL may hold a secret. */
function redirect(status: number | undefined, headers: SdkHeaders = {}): string | undefined {
  if (status === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined;
  const location = headers['location'];
  const host = location !== undefined && URL.canParse(location) ? ` to ${new URL(location).host}` : '';
  return `The answer is a redirect${host}, which is not followed: check the endpoint, and whether a proxy or a login page is in between`;
}

function forbidden(text: string, asked: Asked): string {
  const kms = /kms/i.test(text) ? ', and kms:GenerateDataKey and kms:Decrypt on the key' : '';
  const acl = asked.acl === true ? ' and s3:PutObjectAcl' : '';
  const tags = asked.tagged === true ? ' and s3:PutObjectTagging' : '';
  const key =
    asked.sealed === true ? ', and check that `s3.sse.customer-key` is the key that it was written with' : '';
  return `Allow ${actions[asked.operation]}${acl}${tags} on ${asked.bucket}${kms}${key}`;
}

/** The response to a HEAD has no message, so there it is a guess. */
function aboutCustomerKey(
  status: number | undefined,
  name: string,
  text: string,
  { operation, sealed }: Asked,
): string | undefined {
  const said = /encryption parameters|form of server.side encryption/i.test(text);
  const unsaid = status === 400 && operation === 'HeadObject' && !isCode(name);
  if (!said && !unsaid) return undefined;
  const what = `it is ${sealed === true ? 'not ' : ''}encrypted with a customer's key`;
  const advice = sealed === true ? 'no `s3.sse.customer-key`' : 'the key as `s3.sse.customer-key`';
  return `${said ? 'I' : 'Perhaps i'}${what.slice(1)}: set ${advice} for the bucket`;
}

/** Whether the name of an SDK error is the server's code, not the SDK's placeholder. */
export function isCode(name: unknown): boolean {
  return typeof name === 'string' && /^(?!Unknown|BadRequest$|Error$)[A-Z][A-Za-z0-9]+$/.test(name);
}

function general(code: StoreErrorCode, asked: Asked): string {
  switch (code) {
    case 'Throttled':
      return 'The server asks for fewer requests; retry later';
    case 'Unavailable':
      return 'Retry; if it keeps failing, check the endpoint and the network';
    case 'Integrity':
      return 'Bytes were damaged or lost in transit; retry';
    case 'AlreadyExists':
      return 'An object with this key already exists';
    case 'PreconditionFailed':
      return 'The object is not the expected version: it was changed or removed';
    case 'Conflict':
      return 'Another request is working on this key; retry';
    case 'NotSupported':
      return `This server does not support ${asked.operation} as asked${asked.wanted === undefined ? '' : `, with ${asked.wanted}`}`;
    case 'NotFound':
      return 'It does not exist, or was removed';
    case 'InvalidPart':
      return 'The server does not have the named parts';
    default:
      return `The request cannot succeed as it is${asked.wanted === undefined ? '' : `; perhaps the server does not offer ${asked.wanted}`}`;
  }
}

function serverText(code: string | undefined, status: number, text: string): string {
  return `${status}${code === undefined || code === '' ? '' : ` ${code}`}${text === code ? '' : detail(text)}`;
}

function detail(text: string): string {
  if (text.startsWith('@aws-sdk XML parse error')) return ' (with a body that is not S3’s)';
  const line = text.split('\n', 1)[0]?.trim().replace(/\.$/, '') ?? '';
  return line === '' || line === 'UnknownError' || line === 'Unknown'
    ? ''
    : ` (${printable(line.slice(0, 300))})`;
}

function cause(name: string, text: string, code: string | undefined, requestId: string | undefined): Error {
  const plain = new Error(printable(text));
  plain.name = name === '' ? 'Error' : printable(name);
  return Object.assign(
    plain,
    code === undefined ? {} : { code },
    requestId === undefined ? {} : { requestId },
  );
}
