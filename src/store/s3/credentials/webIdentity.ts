import type { S3Credentials } from '../../../config/s3Options.js';
import type { StoreError } from '../../errors.js';
import { noCredentials } from './errors.js';
import { assumeRoleWithWebIdentity, type ProviderContext, type WebIdentity } from './sts.js';

/** A session for the token file that the environment names. */
export async function ofTokenFile(context: ProviderContext): Promise<S3Credentials> {
  const { aws } = context;
  if (aws.variable('AWS_ROLE_ARN') === undefined)
    throw noCredentials(
      'AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not: set it to the role that the token is for.',
    );
  const { fromTokenFile } = await import('@aws-sdk/credential-providers');
  try {
    return await fromTokenFile({ roleAssumerWithWebIdentity: webIdentityAt(context) })();
  } catch (error) {
    throw unreadable(error, 'AWS_WEB_IDENTITY_TOKEN_FILE') ?? error;
  }
}

/** Makes the SDK's providers use our STS client. */
export function webIdentityAt({
  aws,
  ...sts
}: ProviderContext): (given: WebIdentity) => Promise<S3Credentials> {
  const endpoint = aws.endpoint('sts')?.value;
  return (given) => assumeRoleWithWebIdentity({ ...sts, endpoint }, given);
}

/** The error to throw if `error` is that a token file cannot be read. */
export function unreadable(error: unknown, setting: string): StoreError | undefined {
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== 'open' && syscall !== 'read') return undefined;
  return noCredentials(
    `The token file of the web identity, ${path ?? ''} (${setting}), cannot be read: ${code ?? 'error'}. Check that it is mounted, that this user may read it, and the setting.`,
  );
}
