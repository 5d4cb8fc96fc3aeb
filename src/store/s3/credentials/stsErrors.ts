import { MillraceError } from '../../../errors.js';
import { StoreError, type StoreErrorCode } from '../../errors.js';
import { reasonOf } from '../failures.js';

interface SdkError {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  /** Set if STS itself reported an error. */
  readonly $fault?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** Some servers, and the SDK, append `Exception`. */
const plain = (name: string): string => name.replace(/Exception$/, '');

const codes: ReadonlyMap<string, StoreErrorCode> = new Map<string, StoreErrorCode>(
  Object.entries({
    ExpiredToken: 'Expired',
    Throttling: 'Throttled',
    IDPCommunicationError: 'Unavailable',
    InvalidIdentityToken: 'PermissionDenied',
    IDPRejectedClaim: 'PermissionDenied',
    InvalidClientTokenId: 'PermissionDenied',
    UnrecognizedClient: 'PermissionDenied',
    SignatureDoesNotMatch: 'PermissionDenied',
    AccessDenied: 'PermissionDenied',
    RegionDisabled: 'PermissionDenied',
  }),
);

const advice: ReadonlyMap<string, string> = new Map<string, string>(
  Object.entries({
    InvalidClientTokenId:
      'STS does not know the access key id of the base credentials: check it, and the endpoint',
    SignatureDoesNotMatch: 'The signature is wrong: check the secret access key of the base credentials',
    InvalidIdentityToken:
      'The token of the web identity is not one that the role takes: check its audience and issuer against the identity provider in the account',
    RegionDisabled: 'STS is not active in this region: activate it in the account, or set `region`',
  }),
);

/** Translates an STS error. Like `toStoreError`, it passes on nothing that refers to the request. */
export function stsError(raw: unknown, what: string, action: string): unknown {
  if (raw instanceof MillraceError) return raw;
  const error = (typeof raw === 'object' && raw !== null ? raw : {}) as SdkError;
  const name = typeof error.name === 'string' ? error.name : '';
  const text = typeof error.message === 'string' ? error.message : '';
  const status = error.$metadata?.httpStatusCode;
  const system = typeof error.code === 'string' ? error.code : undefined;
  const reason = reasonOf({ name, text, code: system, status, refused: error.$fault !== undefined });
  const code = codes.get(plain(name)) ?? reason?.code ?? codeOf(status);
  const line = text.split('\n', 1)[0]?.trim().replace(/\.$/, '').slice(0, 300) ?? '';
  // The SDK's message for a response without one.
  const detail = line === '' || line === 'UnknownError' ? '' : ` (${line})`;
  const said = `${status === undefined ? (system ?? name) : `${status} ${name}`}${detail}`;
  const next = advice.get(plain(name)) ?? reason?.advice ?? general(code, action);
  return new StoreError(code, `${what}: ${said}. ${next}.`, {
    ...(status === undefined ? {} : { status, serverCode: name }),
    cause: Object.assign(new Error(text), { name }),
  });
}

function codeOf(status: number | undefined): StoreErrorCode {
  if (status === undefined || status >= 500) return 'Unavailable';
  if (status === 429) return 'Throttled';
  if (status === 405 || status === 501) return 'NotSupported';
  return status === 401 || status === 403 ? 'PermissionDenied' : 'InvalidRequest';
}

const forbidden: ReadonlyMap<string, string> = new Map<string, string>(
  Object.entries({
    'sts:AssumeRole':
      "Allow sts:AssumeRole on the role to the base credentials, name them in the role's trust policy, and check the external id",
    'sts:AssumeRoleWithWebIdentity':
      "Allow sts:AssumeRoleWithWebIdentity in the role's trust policy to the identity provider, for the subject and the audience of the token",
  }),
);

function general(code: StoreErrorCode, action: string): string {
  switch (code) {
    case 'PermissionDenied':
      return forbidden.get(action) ?? `Allow ${action} to the base credentials, which must be long-lived`;
    case 'Expired':
      return action === 'sts:AssumeRoleWithWebIdentity'
        ? 'The token of the web identity has expired: see why its file is not renewed'
        : 'The base credentials have expired: give some that last, or a function that provides new ones';
    case 'Throttled':
      return 'STS asks for fewer requests; retry later';
    case 'Unavailable':
      return 'Retry; if it keeps failing, check the STS endpoint and the network';
    case 'NotSupported':
      return 'There is no STS at this endpoint: give `assumeRole.endpoint`';
    default:
      return 'STS refuses this as it is asked: check the role, the session name and the duration';
  }
}
