import type { S3Client } from '@aws-sdk/client-s3';
import { MillraceError } from '../../../errors.js';
import { StoreError } from '../../errors.js';
import type { S3Credentials } from '../../../config/s3Options.js';
import { messageOf, redact } from './errors.js';
import type { CredentialSource } from './source.js';

type Plugin = Parameters<S3Client['middlewareStack']['use']>[0];

interface SdkError {
  readonly name?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** More than one: credentials may be renewed while a request is being signed with old ones. */
const repeats = 2;

/**
 * Repeats a command whose credentials have expired with new ones, unnoticed by its caller. Other errors are passed on,
 * without the secrets of the credentials in use.
 *
 * It wraps the whole command, since the SDK chooses credentials at its start. Bodies are in memory, so a command can be
 * sent again; a refused one had no effect.
 */
export function renewing(source: CredentialSource, now: () => number): Plugin {
  return {
    applyToStack: (stack) => {
      stack.add(
        (next, context) => async (args) => {
          for (let repeated = 0; ; repeated++) {
            try {
              return await next(args);
            } catch (error) {
              const used = signedWith(context);
              if (used === undefined) throw error;
              hideSecrets(error, used);
              if (repeated === repeats || !expired(error, context.commandName, used, now())) throw error;
              if (!(await renewed(source, used))) throw error;
            }
          }
        },
        { step: 'initialize', priority: 'high', name: 'millraceRenewal' },
      );
    },
  };
}

async function renewed(source: CredentialSource, used: S3Credentials): Promise<boolean> {
  try {
    return await source.renew(used);
  } catch (error) {
    const why = messageOf(error, used);
    throw new StoreError(
      'Expired',
      `The credentials have expired, and there are no new ones: ${why === '' ? 'no reason was given' : why}`,
      error instanceof MillraceError ? { cause: error } : {},
    );
  }
}

/**
 * Whether the server refuses because the credentials have expired. Some servers just deny access, and the response to a
 * HEAD has no code at all; then the expiration of the credentials decides.
 */
function expired(raw: unknown, command: string | undefined, used: S3Credentials, now: number): boolean {
  const error = (typeof raw === 'object' && raw !== null ? raw : {}) as SdkError;
  const name = typeof error.name === 'string' ? error.name : '';
  if (/^(ExpiredToken(Exception)?|TokenRefreshRequired)$/.test(name)) return true;
  if (used.sessionToken === undefined) return false;
  const status = error.$metadata?.httpStatusCode;
  if (status === 400 && command === 'HeadObjectCommand') return true;
  const over = used.expiration !== undefined && used.expiration.getTime() <= now;
  return over && (status === 401 || status === 403);
}

function signedWith(context: object): S3Credentials | undefined {
  const { __smithy_context: chosen } = context as {
    readonly __smithy_context?: { readonly selectedHttpAuthScheme?: { readonly identity?: S3Credentials } };
  };
  return chosen?.selectedHttpAuthScheme?.identity;
}

function hideSecrets(error: unknown, used: S3Credentials): void {
  if (!(error instanceof Error) || error instanceof MillraceError) return;
  error.message = redact(error.message, used);
}
