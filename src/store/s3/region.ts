/**
 * Finds the region of a bucket. If a request is refused because the bucket is in another region, it is repeated there, and
 * the region is remembered for the bucket.
 *
 * 1. Start with the given region, or that of the AWS chain: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile in
 *    `~/.aws/config`, the EC2 instance (IMDS). No region is guessed, except for custom endpoints, most of which ignore it.
 * 2. If a refusal (301, 400 or 403) names another region in a header or the error document, use that.
 * 3. If a refusal is about the region without naming one, ask HeadBucket, which reports it even if access is denied.
 */
import { request } from 'node:http';
import type { S3Client } from '@aws-sdk/client-s3';
import { MillraceError } from '../../errors.js';
import type { AwsSettings } from './aws/settings.js';
import { isCode } from './errors.js';
import type { ResolvedOptions } from './options.js';

/**
 * The initial region: as given, else from AWS's environment and files, else `us-east-1` for a custom endpoint, else the
 * instance's, which is requested lazily.
 */
export function firstRegion({
  region,
  custom,
  aws,
}: Pick<ResolvedOptions, 'region' | 'custom' | 'aws'>): string | (() => Promise<string>) {
  const known = region ?? aws.region ?? (custom ? 'us-east-1' : undefined);
  if (known !== undefined) return known;
  let found: Promise<string> | undefined;
  const find = async (): Promise<string> => {
    const named = await regionOfInstance(aws);
    if (named === undefined) throw regionMissing(aws);
    return named;
  };
  return () => {
    found ??= find().catch((error: unknown) => {
      found = undefined; // the next request asks again
      throw error;
    });
    return found;
  };
}

function regionMissing(aws: AwsSettings): MillraceError {
  const unknown = aws.profile === undefined && aws.namedBy !== undefined ? ' (there is no such profile)' : '';
  return new MillraceError(
    'RegionMissing',
    `No AWS region is known, neither from AWS_REGION or AWS_DEFAULT_REGION, nor from the profile '${aws.profileName}'${unknown} in ${aws.filesRead}, nor from the instance’s metadata (IMDS): set \`s3.region\` (in code, \`region\`; in the environment, S3_REGION), or one of these.`,
  );
}

/** Milliseconds. Outside of EC2 nothing responds at this address. */
const patience = 1000;

/** The region of the EC2 instance that this runs on, if any. */
async function regionOfInstance(aws: AwsSettings): Promise<string | undefined> {
  if (aws.metadataDisabled) return undefined;
  const v6 = aws.variable('AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE')?.toLowerCase() === 'ipv6';
  const base =
    aws.variable('AWS_EC2_METADATA_SERVICE_ENDPOINT') ??
    (v6 ? 'http://[fd00:ec2::254]' : 'http://169.254.169.254');
  const signal = AbortSignal.timeout(patience);
  try {
    const token = await read(base, '/latest/api/token', 'PUT', tokenAge, signal);
    const headers = { 'x-aws-ec2-metadata-token': token };
    const region = await read(base, '/latest/meta-data/placement/region', 'GET', headers, signal);
    return isRegion(region) ? region : undefined;
  } catch {
    // Not EC2, or not allowed: the error that follows mentions the instance's metadata, too.
    return undefined;
  }
}

/** A server's region becomes part of host names, so it must be a plain name. */
function isRegion(text: string): boolean {
  return /^[a-z0-9-]{1,32}$/.test(text);
}

const tokenAge = { 'x-aws-ec2-metadata-token-ttl-seconds': '60' };

function read(
  base: string,
  path: string,
  method: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(new URL(path, base), { method, headers, signal, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (piece: string) => (text += piece));
      answer.once('error', reject);
      answer.once('end', () => {
        if (answer.statusCode === 200) resolve(text.trim());
        else reject(new Error(`${answer.statusCode ?? 0}`));
      });
    });
    asked.once('error', reject);
    asked.end();
  });
}

type Command = Parameters<S3Client['send']>[0];
type Options = Parameters<S3Client['send']>[1];

/** Sends commands, each to the region of its bucket. */
export type Sender = Pick<S3Client, 'send'>;

/** A sender for buckets in any region. `clientIn` returns the client of a region, or of the initial one. */
export function followRegions(clientIn: (region: string | undefined) => S3Client, known: Regions): Sender {
  const send = async (command: Command, options: Options): Promise<unknown> => {
    const bucket = 'Bucket' in command.input ? (command.input.Bucket ?? '') : '';
    const client = clientIn(known.of(bucket));
    try {
      return await client.send(command, options);
    } catch (error) {
      const region = await known.elsewhere(bucket, client, error as Refused, options);
      if (region === undefined) throw error;
      return clientIn(region).send(command, options);
    }
  };
  return { send: send as S3Client['send'] };
}

/** The fields of the SDK's errors that are used. */
interface Refused {
  readonly name?: unknown;
  /** From the error document. */
  readonly Region?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

/** The regions of buckets that a connection has learned. */
export class Regions {
  readonly #regions = new Map<string, string>();
  readonly #onFound: (bucket: string, region: string) => void;

  /** `onFound` is called for each bucket in another region than the initial one. */
  constructor(onFound: (bucket: string, region: string) => void = () => undefined) {
    this.#onFound = onFound;
  }

  of(bucket: string): string | undefined {
    return this.#regions.get(bucket);
  }

  /** The bucket's region, if `client` was refused because it is another one. */
  async elsewhere(
    bucket: string,
    client: S3Client,
    error: Refused,
    options: Options,
  ): Promise<string | undefined> {
    const status = error.$metadata?.httpStatusCode ?? 0;
    if (bucket === '' || ![301, 307, 400, 403].includes(status)) return undefined;
    const region =
      told(error) ?? (aboutRegion(error, status) ? await ask(bucket, client, options) : undefined);
    if (region === undefined || region === (await client.config.region())) return undefined;
    if (this.#regions.get(bucket) !== region) {
      this.#regions.set(bucket, region);
      this.#onFound(bucket, region);
    }
    return region;
  }
}

/** HeadBucket reports the region even if access is denied. */
async function ask(bucket: string, client: S3Client, options: Options): Promise<string | undefined> {
  try {
    const { HeadBucketCommand } = await import('@aws-sdk/client-s3');
    return (await client.send(new HeadBucketCommand({ Bucket: bucket }), options)).BucketRegion;
  } catch (error) {
    return told(error as Refused);
  }
}

function told({ $response, Region }: Refused): string | undefined {
  const header = $response?.headers?.['x-amz-bucket-region'];
  const region = header ?? Region;
  return typeof region === 'string' && isRegion(region) ? region : undefined;
}

const aboutRegions: readonly unknown[] = [
  'PermanentRedirect',
  'TemporaryRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
];

/** The response to a HEAD has no document, and so no code. */
function aboutRegion({ name }: Refused, status: number): boolean {
  return aboutRegions.includes(name) || status === 301 || (status === 400 && !isCode(name));
}
