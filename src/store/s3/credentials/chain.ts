/**
 * Looks for credentials where AWS tools do, in the same order:
 *
 * 1. the profile that `AWS_PROFILE` names, if it has credentials; it is an error if there is no such profile;
 * 2. `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`;
 * 3. the profile `default`, if it has credentials;
 * 4. a web identity: `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`;
 * 5. the container's credentials: `AWS_CONTAINER_CREDENTIALS_FULL_URI` or `…_RELATIVE_URI`;
 * 6. the instance's role (IMDS).
 *
 * The first of these that is configured must provide credentials. The SDK's own chain continues with the next one after most
 * failures, and finally reports that there are none; here the error is that of the provider that failed.
 */
import type { S3Credentials } from '../../../config/s3Options.js';
import { StoreError } from '../../errors.js';
import type { AwsSettings } from '../aws/settings.js';
import type { ProviderContext } from './sts.js';
import { messageOf, noCredentials } from './errors.js';
import { hasCredentials, ofProfile, profileMissing } from './profile.js';
import { ofTokenFile } from './webIdentity.js';

export async function chain(context: ProviderContext): Promise<S3Credentials> {
  const aws = context.aws.reload();
  if (aws.profile === undefined && aws.profileName !== 'default') throw profileMissing(aws);
  const ofThatProfile = (): Promise<S3Credentials> => ofProfile({ ...context, aws });
  if (aws.namedBy !== undefined && hasCredentials(aws.profile)) return ofThatProfile();
  const keys = keysOfEnvironment(aws);
  if (keys !== undefined) return keys;
  if (hasCredentials(aws.profile)) return ofThatProfile();
  if (aws.variable('AWS_WEB_IDENTITY_TOKEN_FILE') !== undefined) return ofTokenFile({ ...context, aws });
  const container = containers.find((name) => aws.variable(name) !== undefined);
  return container === undefined ? ofInstance(aws) : ofContainer(container);
}

/** Reads the environment each time: a process may be given new keys there. */
export function keysOfEnvironment(aws: AwsSettings): S3Credentials | undefined {
  const accessKeyId = aws.variable('AWS_ACCESS_KEY_ID');
  const secretAccessKey = aws.variable('AWS_SECRET_ACCESS_KEY');
  const sessionToken = aws.variable('AWS_SESSION_TOKEN');
  const expiration = aws.variable('AWS_CREDENTIAL_EXPIRATION');
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    ...(expiration === undefined || Number.isNaN(Date.parse(expiration))
      ? {}
      : { expiration: new Date(expiration) }),
  };
}

const containers = ['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI', 'AWS_CONTAINER_CREDENTIALS_FULL_URI'] as const;

async function ofContainer(variable: string): Promise<S3Credentials> {
  const { fromHttp } = await import('@aws-sdk/credential-providers');
  try {
    // No retries: the requests that need the credentials are retried themselves.
    return await fromHttp({ maxRetries: 0 })();
  } catch (error) {
    const why = messageOf(error);
    const refused = /status: 4\d\d|not of the required format|not valid|Invalid/i.test(why);
    const message = `The container's credentials, which ${variable} points at, could not be had (${why}). `;
    if (refused) throw noCredentials(`${message}Check the role of the task or pod, and the variable.`);
    throw new StoreError('Unavailable', `${message}Retry; if it keeps failing, check the variable.`);
  }
}

async function ofInstance(aws: AwsSettings): Promise<S3Credentials> {
  if (aws.metadataDisabled) throw nothingFound(aws, 'which AWS_EC2_METADATA_DISABLED turns off');
  const { fromInstanceMetadata } = await import('@aws-sdk/credential-providers');
  try {
    return await fromInstanceMetadata()();
  } catch (error) {
    const { statusCode } = error as { readonly statusCode?: number };
    throw nothingFound(
      aws,
      statusCode === undefined ? 'which does not answer' : `which answers ${statusCode}: it may have no role`,
    );
  }
}

function nothingFound(aws: AwsSettings, instance: string): StoreError {
  return noCredentials(
    `No credentials were found: none in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, none for the profile '${aws.profileName}' in ${aws.filesRead}, no web identity, no container, and none from the instance's metadata, ${instance}: give \`credentials\`, set these variables, or configure a profile, SSO or a role.`,
  );
}
