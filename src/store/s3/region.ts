/**
 * In which region a bucket is. A bucket that is elsewhere than was thought says so, in one way or another, by refusing
 * the request; it is then repeated in the right region, which is remembered for the bucket.
 *
 * 1. The region that was given, or that of the AWS chain: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile in
 *    `~/.aws/config`, the instance this runs on (IMDS). None is guessed, but for custom endpoints, most of which do not care.
 * 2. Refused (301, 400 or 403) with another region named in a header or in the error document: that one.
 * 3. Refused for the region without one named: HeadBucket tells it, even where it denies all else.
 */
import { request } from 'node:http';
import type { S3Client } from '@aws-sdk/client-s3';
import { MillraceError } from '../../errors.js';
import type { AwsSettings } from './aws/settings.js';
import { isCode } from './errors.js';
import type { ResolvedOptions } from './options.js';

/**
 * The region to start with, as the SDK takes it: as given, else of AWS's environment and files; `us-east-1` for a custom
 * endpoint that has none, and the instance's otherwise, which is asked once a request needs it.
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

/** Milliseconds. Outside of EC2 nothing answers at its address. */
const patience = 1000;

/** What the EC2 instance says that this runs on, if it is one. */
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
    // Not EC2, or not allowed: no region is known, and the error that follows names this way, too.
    return undefined;
  }
}

/** It becomes part of host names: what a server says must not be more than a name. */
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

/** A sender whose buckets may be in any region. `clientIn` makes, or gives again, the client of a region (or the first). */
export function following(clientIn: (region: string | undefined) => S3Client, known: Regions): Sender {
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

/** What the SDK rejects with, as far as it is looked at. */
interface Refused {
  readonly name?: unknown;
  /** From the error document. */
  readonly Region?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

/** What a connection has learned. */
export class Regions {
  readonly #regions = new Map<string, string>();
  readonly #onFound: (bucket: string, region: string) => void;

  /** `onFound` hears of a bucket that is elsewhere than was thought. */
  constructor(onFound: (bucket: string, region: string) => void = () => undefined) {
    this.#onFound = onFound;
  }

  of(bucket: string): string | undefined {
    return this.#regions.get(bucket);
  }

  /** The other region that the bucket is in, if that is why `client` was refused. */
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

/** HeadBucket tells the region even where it denies all else. */
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

/** The answer to a HEAD has no document, and so no code. */
function aboutRegion({ name }: Refused, status: number): boolean {
  return aboutRegions.includes(name) || status === 301 || (status === 400 && !isCode(name));
}
