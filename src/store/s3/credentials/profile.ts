/**
 * Credentials of a profile, obtained by the SDK's provider. Its errors are explained by the kind of the profile that failed,
 * which is the last one in the chain of `source_profile`s.
 */
import type { S3Credentials } from '../../../config/s3Options.js';
import { MillraceError } from '../../../errors.js';
import { StoreError } from '../../errors.js';
import type { Section } from '../aws/files.js';
import type { AwsSettings } from '../aws/settings.js';
import { isAboutNetwork, messageOf, noCredentials } from './errors.js';
import { assumeRole, type ProviderContext } from './sts.js';
import { fixed } from './source.js';
import { unreadable, webIdentityAt } from './webIdentity.js';

/** A profile with one of these settings provides credentials. */
const settings =
  /^(aws_access_key_id|aws_secret_access_key|role_arn|source_profile|credential_source|credential_process|web_identity_token_file|login_session|sso_.+)$/;

export function hasCredentials(profile: Section | undefined): boolean {
  return profile !== undefined && [...profile.keys()].some((name) => settings.test(name));
}

export function profileMissing(aws: AwsSettings, name = aws.profileName, by = said(aws)): StoreError {
  return noCredentials(
    `There is no profile '${name}'${by} in ${aws.filesRead}. Correct the name, or configure the profile: \`aws configure${option(name)}\`.`,
  );
}

/** Errors: `PermissionDenied`, `Unavailable`, and those of AssumeRole for a role. */
export async function ofProfile(context: ProviderContext): Promise<S3Credentials> {
  const { aws, http, ...sts } = context;
  const source = sourceOf(aws);
  const { fromIni } = await import('@aws-sdk/credential-providers');
  const requestHandler = http();
  const endpoint = aws.endpoint('sts')?.value;
  try {
    return await fromIni({
      profile: aws.profileName,
      ignoreCache: true,
      clientConfig: { requestHandler },
      roleAssumer: (base, { RoleArn, RoleSessionName, ExternalId, DurationSeconds }) =>
        assumeRole(
          { ...sts, http, endpoint, base: fixed(base) },
          {
            arn: RoleArn,
            sessionName: RoleSessionName,
            seconds: DurationSeconds ?? 3600,
            ...(ExternalId === undefined ? {} : { externalId: ExternalId }),
          },
        ),
      roleAssumerWithWebIdentity: webIdentityAt(context),
    })();
  } catch (error) {
    throw failed(error, source, aws);
  } finally {
    requestHandler.destroy();
  }
}

interface Source {
  readonly name: string;
  readonly section: Section;
}

/** The last profile in the chain of `source_profile`s. Throws if one of them does not exist. */
function sourceOf(aws: AwsSettings): Source {
  const seen = new Set<string>();
  let name = aws.profileName;
  let by = said(aws);
  for (;;) {
    const section = aws.files.profiles.get(name);
    if (section === undefined) throw profileMissing(aws, name, by);
    const next = section.get('role_arn') === undefined ? undefined : section.get('source_profile');
    const keys = section.has('aws_access_key_id') && seen.size > 0;
    if (next === undefined || keys || seen.has(next) || next === name) return { name, section };
    by = `, the source_profile of '${name}'${seen.size === 0 ? said(aws) : ''},`;
    seen.add(name);
    name = next;
  }
}

function failed(raw: unknown, { name, section }: Source, aws: AwsSettings): unknown {
  if (raw instanceof MillraceError) return raw;
  const why = messageOf(raw);
  const profile = `the profile '${name}'${name === aws.profileName ? said(aws) : ''}`;
  const tokenFile = unreadable(raw, `web_identity_token_file of ${profile}`);
  if (tokenFile !== undefined) return tokenFile;
  const kind = kinds.find(({ has }) => has(section));
  const what = kind?.tell({ name, section, aws, profile, why });
  if (what !== undefined) return noCredentials(what);
  if (isAboutNetwork(why))
    return new StoreError(
      'Unavailable',
      `The credentials of ${profile} could not be obtained: ${why}. Retry; if it keeps failing, check the network and the proxy.`,
    );
  const has = [...section.keys()].filter((each) => settings.test(each)).join(', ');
  return noCredentials(
    `There are no credentials in ${profile} (${why}). It has ${has === '' ? 'none of the settings for them' : has}: give it aws_access_key_id and aws_secret_access_key, or another way that AWS's tools know, in ${aws.filesRead}.`,
  );
}

interface Failure extends Source {
  readonly aws: AwsSettings;
  /** Describes the profile. */
  readonly profile: string;
  /** The SDK's message. */
  readonly why: string;
}

interface Kind {
  readonly has: (section: Section) => boolean;
  /** `undefined`: the failure is not specific to this kind. */
  readonly tell: (failure: Failure) => string | undefined;
}

/** In the SDK's order: the first that a profile has is used. */
const kinds: readonly Kind[] = [
  {
    has: (section) => section.has('aws_access_key_id') && section.has('aws_secret_access_key'),
    tell: ofRole,
  },
  { has: (section) => section.has('role_arn'), tell: ofRole },
  { has: (section) => section.has('credential_process'), tell: ofProcess },
  { has: (section) => [...section.keys()].some((name) => name.startsWith('sso_')), tell: ofSso },
  { has: (section) => section.has('login_session'), tell: ofLogin },
];

function ofRole({ aws, why, section, profile }: Failure): string | undefined {
  if (/multi-factor/.test(why))
    return `The role of the profile '${aws.profileName}' asks for a code (mfa_serial), which a program cannot enter. Obtain a session by \`aws sts assume-role\`, and give its keys.`;
  const source = section.get('credential_source');
  return source === undefined
    ? undefined
    : `The credential_source ${source} of ${profile} has no credentials (${why}). Check the environment that the program runs in.`;
}

/** Shows neither the command nor its output: both may hold a secret. */
function ofProcess({ aws, profile, why }: Failure): string {
  const [, told] = / (returned .*|did not return .*)$/.exec(why) ?? [];
  return `The credential_process of ${profile} ${told?.replace(/\.$/, '') ?? 'failed'}. Run its command (in ${aws.filesRead}) by hand to see why.`;
}

function ofSso({ aws, name, section, profile, why }: Failure): string | undefined {
  const session = section.get('sso_session');
  const shared = session === undefined ? undefined : aws.files.ssoSessions.get(session);
  if (session !== undefined && shared === undefined)
    return `The sso_session ${session} of ${profile} is not in ${aws.files.read[0].path}. Add [sso-session ${session}] by \`aws configure sso${option(name)}\`.`;
  const missing = ['sso_start_url', 'sso_region', 'sso_account_id', 'sso_role_name'].filter(
    (each) => !section.has(each) && shared?.has(each) !== true,
  );
  if (missing.length > 0)
    return `Of ${profile} ${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} missing, which SSO needs. Run \`aws configure sso${option(name)}\`.`;
  if (isAboutNetwork(why)) return undefined;
  if (/Forbidden|No access/.test(why))
    return `SSO gives no access to the role ${section.get('sso_role_name') ?? ''} in the account ${section.get('sso_account_id') ?? ''}, which ${profile} names. Correct the profile, or have the role assigned.`;
  return `The SSO session of ${profile} has expired, or there is none. Run \`aws sso login${option(name)}\`, then try again.`;
}

function ofLogin({ name, profile, why }: Failure): string | undefined {
  if (isAboutNetwork(why)) return undefined;
  return `The login session of ${profile} has expired, or there is none. Run \`aws login${option(name)}\`, then try again.`;
}

function said({ namedBy }: AwsSettings): string {
  return namedBy === undefined ? '' : ` (from ${namedBy})`;
}

/** The profile as an option of the `aws` command. */
function option(name: string): string {
  if (name === 'default') return '';
  return ` --profile ${/^[\w@+.:/-]+$/.test(name) ? name : `'${name}'`}`;
}
