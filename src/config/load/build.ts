import { formatUri, parseUri } from '../../path/index.js';
import type { Config } from '../config.js';
import { standardErrorLogger } from '../logger.js';
import type { ConfigOptions } from '../options.js';
import type { AssumeRoleOptions, BucketOptions, EncryptionOptions, S3Options } from '../s3Options.js';
import { encryptionType } from '../mergeS3.js';
import { findKey } from '../schema/index.js';
import { hideValues } from '../secrets.js';
import { checkEncryption, checkHosts, checkRole } from './checks.js';
import { bucketCredentialsOf, credentialsOf, pair } from './credentials.js';
import { chooseGroups, winnersOf } from './families.js';
import type { Setting, Settings } from './settings.js';

const MiB = 2 ** 20;

type Data = Record<string, unknown>;

/**
 * Builds the configuration: selects the value of each key from the source with the highest precedence, then one group of each
 * family, puts the values into the nested options, and checks dependencies between keys.
 */
export function build(settings: Settings, logger: ConfigOptions['logger']): Config {
  const winners = winnersOf(settings.all);
  const [bucket, base] = [bucketKey, baseKey].map((key) => winners.get(key));
  chooseGroups(winners, settings);
  const data: Data = {};
  for (const setting of winners.values()) {
    if (!special.test(setting.row.option)) put(data, setting);
  }
  const group = (name: string): Data => (data[name] ?? {}) as Data;
  const s3 = connectionOf(group('s3'), winners, settings);
  const transfer = group('transfer');
  const delegated = pair(
    winners,
    settings,
    'security.delegation.token.provider.s3-native.access-key',
    'security.delegation.token.provider.s3-native.secret-key',
  );
  const dir = directoryOf('checkpoints', winners, settings);
  // The bucket is that of the savepoints even if the checkpoints are elsewhere.
  const places = new Map(winners);
  for (const each of [bucket, base]) if (each !== undefined) places.set(each.key, each);
  const savepoints = directoryOf('savepoints', places, settings);
  const exportDir = directoryOf('state', places, settings);
  checkUri('execution.savepoint.path', winners, settings);
  const config = {
    s3,
    transfer: {
      partSize: 8 * MiB,
      uploadConcurrency: 4,
      writePartSize: 8 * MiB,
      readBuffer: MiB / 4,
      readBudget: 64 * MiB,
      sourceBudget: 16 * MiB,
      parallel: true,
      ...transfer,
      bulkCopy: bulkCopyOf(transfer['bulkCopy'] as Data | undefined, s3, winners, settings),
      entropy: { length: 4, ...(transfer['entropy'] as Data | undefined) },
    },
    checkpoints: {
      interval: 10_000,
      mode: 'EXACTLY_ONCE',
      fencing: 'required',
      ...signed(group('checkpoints')),
      ...(dir === undefined ? {} : { dir }),
    },
    savepoints: {
      ignoreUnclaimed: false,
      ...group('savepoints'),
      ...(savepoints === undefined ? {} : { dir: savepoints }),
    },
    restart: { type: 'exponential-delay', ...group('restart') },
    stalled: { after: 30_000, ...group('stalled') },
    state: {
      compression: true,
      encryption: false,
      extension: '.state',
      partSize: 10 * MiB,
      compactionTrigger: 8,
      ...group('state'),
      ...(exportDir === undefined ? {} : { exportDir }),
    },
    delegationTokens: {
      enabled: false,
      ...group('delegationTokens'),
      ...(delegated === undefined ? {} : { credentials: delegated }),
    },
    logger: logger ?? standardErrorLogger,
    warnings: settings.warnings,
    origin: (key: string) =>
      winners.get(findKey(key)?.key ?? key)?.origin ?? { from: 'default', where: 'default' },
  };
  // A test checks the options of the schema's rows against these types.
  return config as unknown as Config;
}

/** Options that are composed of several keys. */
const special =
  /^s3\.(buckets\.<name>\.)?credentials|^delegationTokens\.credentials|^(checkpoints|savepoints)\.dir$|^state\.exportDir$/;

function put(data: Data, { row, names, value }: Setting): void {
  const path = row.option.split('.').map((step) => step);
  const steps = [...names];
  let at = data;
  path.forEach((step, i) => {
    const name = step.startsWith('<') ? (steps.shift() ?? '') : step;
    const next = i === path.length - 1 ? value : Object.hasOwn(at, name) ? at[name] : {};
    // A name may be `__proto__`.
    Object.defineProperty(at, name, { value: next, enumerable: true, configurable: true, writable: true });
    at = next as Data;
  });
}

function connectionOf(data: Data, winners: ReadonlyMap<string, Setting>, settings: Settings): S3Options {
  const credentials = credentialsOf(winners, settings);
  const given = data as S3Options & Data;
  const whole: BucketOptions = {
    ...given,
    ...(credentials === undefined ? {} : { credentials }),
    ...roleOf(given.assumeRole),
    ...sealed(given.sse),
  };
  checkRole(whole, 's3.', winners, settings);
  checkEncryption(whole.sse, 's3.', winners, settings);
  checkHosts(whole, winners, settings);
  const names = new Set(
    [...winners.values()]
      .filter(({ row }) => row.option.startsWith('s3.buckets.'))
      .map(({ names: [name] }) => name ?? ''),
  );
  const buckets = [...names].map((name) => {
    const own = (Object.hasOwn(given.buckets ?? {}, name) ? given.buckets?.[name] : undefined) ?? {};
    const prefix = `s3.bucket.${name}.`;
    const ownCredentials = bucketCredentialsOf(name, winners, settings);
    const assumeRole = own.assumeRole === undefined ? undefined : { ...whole.assumeRole, ...own.assumeRole };
    const sse = own.sse === undefined ? undefined : encryptionOf(whole.sse, own.sse);
    const bucket: BucketOptions = {
      ...own,
      ...(ownCredentials === undefined ? {} : { credentials: ownCredentials }),
      ...roleOf(assumeRole),
      ...sealed(sse),
    };
    checkRole(bucket, prefix, winners, settings);
    checkEncryption(sse, prefix, winners, settings);
    return [name, hideProxy(bucket)] as const;
  });
  return hideProxy({ ...whole, ...(buckets.length === 0 ? {} : { buckets: Object.fromEntries(buckets) }) });
}

function signed(checkpoints: Data): Data {
  const { sign } = checkpoints;
  return sign === undefined ? checkpoints : { ...checkpoints, sign: hideValues({ ...sign }, ['keys']) };
}

/** The URL of a proxy may hold a password. */
function hideProxy<T extends BucketOptions>(options: T): T {
  return options.proxy?.includes('@') === true ? hideValues(options, ['proxy']) : options;
}

function roleOf(role: AssumeRoleOptions | undefined): Pick<BucketOptions, 'assumeRole'> {
  return role === undefined ? {} : { assumeRole: hideValues({ ...role }, ['externalId']) };
}

function sealed(sse: EncryptionOptions | undefined): Pick<BucketOptions, 'sse'> {
  return sse === undefined ? {} : { sse: hideValues({ ...sse }, ['customerKey']) };
}

/** Merges the encryption of a bucket with that of all buckets, without a key of another type. */
function encryptionOf(all: EncryptionOptions = {}, own: EncryptionOptions): EncryptionOptions {
  const { type, kms, ...customer } = own;
  const keyed = (customer.customerKey ?? customer.customerKeyFile) !== undefined;
  const wanted = type ?? (keyed ? 'sse-c' : encryptionType(all));
  const customerOfAll = Object.entries(all).filter(([name]) => name.startsWith('customer'));
  return {
    ...(wanted === undefined ? {} : { type: wanted }),
    ...(wanted === 'sse-kms' || kms !== undefined ? { kms: { ...all.kms, ...kms } } : {}),
    ...(wanted === 'sse-c' && !keyed ? Object.fromEntries(customerOfAll) : {}),
    ...customer,
  };
}

/** Limits the concurrency to the number of connections. */
function bulkCopyOf(
  given: Data | undefined,
  { maxSockets = 50 }: S3Options,
  winners: ReadonlyMap<string, Setting>,
  settings: Settings,
): Data {
  const key = 's3.bulk-copy.max-concurrent';
  const concurrency = (given?.['concurrency'] ?? 16) as number;
  const setting = winners.get(key);
  if (setting !== undefined && concurrency > maxSockets) {
    settings.warnings.push(
      `${key}: ${concurrency} (${setting.origin.where}) is out of bounds, ${maxSockets} is used. It should be ${setting.row.kind.rule}.`,
    );
  }
  return { enabled: true, ...given, concurrency: Math.min(concurrency, maxSockets) };
}

const bucketKey = 'state.backend.s3.bucket';
const baseKey = 'state.backend.s3.base-path';

/** Directories that are set by a URI, or as a folder of the state backend's bucket. */
const directories = {
  checkpoints: ['state.checkpoints.dir', 'state.backend.s3.checkpoint-prefix'],
  savepoints: ['state.savepoints.dir', 'state.backend.s3.savepoint-prefix'],
  state: ['state.exports.dir', 'state.backend.s3.state-prefix'],
} as const;

function directoryOf(
  folder: keyof typeof directories,
  winners: ReadonlyMap<string, Setting>,
  settings: Settings,
): string | undefined {
  const text = (key: string): string | undefined => winners.get(key)?.value as string | undefined;
  const [uriKey, prefixKey] = directories[folder];
  const dir = text(uriKey);
  if (dir !== undefined) {
    checkUri(uriKey, winners, settings);
    return dir;
  }
  const bucket = text(bucketKey);
  const base = text(baseKey);
  if (bucket !== undefined) {
    const key = [base, text(prefixKey) ?? folder].filter((part) => part !== undefined).join('/');
    return formatUri({ scheme: 's3', bucket, key });
  }
  const lonely = [...(folder === 'checkpoints' ? [baseKey] : []), prefixKey].find((key) => winners.has(key));
  if (lonely !== undefined) {
    const where = winners.get(lonely)?.origin.where ?? '';
    settings.problem('Incomplete', lonely, `${lonely} (${where}) needs ${bucketKey}.`);
  }
  return undefined;
}

function checkUri(key: string, winners: ReadonlyMap<string, Setting>, settings: Settings): void {
  const setting = winners.get(key);
  if (setting === undefined) return;
  try {
    parseUri(setting.value as string);
  } catch (error) {
    settings.problem('InvalidValue', key, `${key} (${setting.origin.where}): ${(error as Error).message}`);
  }
}
