import type { S3Client } from '@aws-sdk/client-s3';
import { MillraceError } from '../../../errors.js';
import { StoreError } from '../../errors.js';
import type { S3Credentials } from '../../../config/s3Options.js';
import { reasonOf, redact } from './redact.js';
import type { CredentialSource } from './source.js';

type Plugin = Parameters<S3Client['middlewareStack']['use']>[0];

/** What the SDK throws, as far as it is looked at. */
interface SdkError {
  readonly name?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** New credentials may come while a request is being signed with old ones. */
const repeats = 2;

/**
 * Repeats a command whose credentials have expired with new ones: its caller sees nothing of it. What cannot be fixed so
 * goes on to the caller, without the secrets of the credentials in use.
 *
 * It goes around the whole command, since the SDK chooses credentials at its start. Bodies are in memory, so a command
 * can be sent again; one that was refused had no effect.
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
    const why = reasonOf(error, used);
    throw new StoreError(
      'Expired',
      `The credentials have expired, and there are no new ones: ${why === '' ? 'no reason was given' : why}`,
      error instanceof MillraceError ? { cause: error } : {},
    );
  }
}

/**
 * Whether the server refuses because the credentials have ended. Some do not say so: they deny access to what has ended by
 * its own account, and the answer to a HEAD has no code at all.
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

/** The credentials that the SDK chose. */
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
