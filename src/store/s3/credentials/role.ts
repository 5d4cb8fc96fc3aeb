import { InvalidOption, parseDuration, type Duration } from '../../../config/units.js';
import type { AssumeRoleOptions } from '../../../config/s3Options.js';
import type { AwsSettings } from '../aws/settings.js';
import type { Role } from './sts.js';

/** Checks a role's options and fills in the defaults. Throws `InvalidOption`. */
export function roleOf(options: AssumeRoleOptions): Role {
  const { arn, externalId, sessionName = 'millrace-session', sessionDuration = 3600 } = options;
  if (!/^arn:[^:]+:iam:[^:]*:[^:]*:role\/.+$/.test(arn))
    throw new InvalidOption(
      's3.assumeRole.arn',
      arn,
      "a role's ARN, such as 'arn:aws:iam::123456789012:role/lake'",
    );
  if (!/^[\w+=,.@-]{2,64}$/.test(sessionName))
    throw new InvalidOption(
      's3.assumeRole.sessionName',
      sessionName,
      '2 to 64 letters, digits and characters of _+=,.@-',
    );
  if (externalId !== undefined && !/^[\w+=,.@:/-]{2,1224}$/.test(externalId))
    throw new InvalidOption(
      's3.assumeRole.externalId',
      externalId,
      '2 to 1,224 letters, digits and characters of _+=,.@:/-',
    );
  const seconds = secondsOf('s3.assumeRole.sessionDuration', sessionDuration, 43_200);
  return { arn, sessionName, seconds, ...(externalId === undefined ? {} : { externalId }) };
}

/** The lifetime of a session in seconds, from 15 minutes to `most`; a number is in seconds. Throws `InvalidOption`. */
export function secondsOf(key: string, value: Duration, most: number): number {
  const seconds = typeof value === 'number' ? value : parseDuration(key, value) / 1000;
  if (!Number.isInteger(seconds) || seconds < 900 || seconds > most)
    throw new InvalidOption(key, value, `900 s to ${most} s: a number of seconds, or a string such as '1h'`);
  return seconds;
}

/**
 * The endpoint of STS: as given, else from AWS's environment and files, else the S3 endpoint of a server that is not AWS;
 * `undefined` for AWS's own. Throws `InvalidOption`, never showing a URL that may hold a password.
 */
export function stsEndpoint(
  key: string,
  given: string | undefined,
  s3: string | undefined,
  aws: AwsSettings,
): string | undefined {
  if (given !== undefined) return checked(key, given);
  const told = aws.ownEndpoint('sts');
  return told === undefined ? s3 : checked(told.where, told.value);
}

function checked(key: string, endpoint: string): string {
  const rule = 'a URL such as https://sts.example.com, without user and password';
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw new InvalidOption(key, 'this', rule);
  if (url.username !== '' || url.password !== '') throw new InvalidOption(key, url.host, rule);
  return endpoint;
}
