import type { BucketOptions, EncryptionOptions, S3Options } from '../s3Options.js';
import { encryptionType } from '../mergeS3.js';
import type { Setting, Settings } from './settings.js';

type Winners = ReadonlyMap<string, Setting>;

/** The options of a role, and the provider ASSUME_ROLE, require its ARN. */
export function checkRole(
  options: BucketOptions,
  prefix: string,
  winners: Winners,
  settings: Settings,
): void {
  const { assumeRole, credentials } = options;
  if (assumeRole?.arn !== undefined) return;
  const needs = (key: string): void =>
    settings.problem(
      'Incomplete',
      key,
      `${key} (${winners.get(key)?.origin.where ?? ''}) needs ${prefix}assume-role.arn.`,
    );
  if (credentials === 'ASSUME_ROLE') {
    needs(
      [`${prefix}credentials.provider`, 'aws.credentials.provider'].find((key) => winners.has(key)) ??
        `${prefix}credentials`,
    );
  }
  if (assumeRole === undefined) return;
  const roleKey = [...winners.keys()].find(
    (key) => key.startsWith(`${prefix}assume-role.`) || key.startsWith('aws.credentials.provider.role.'),
  );
  if (roleKey !== undefined) needs(roleKey);
}

/** Keys require their type of encryption, and SSE-C requires a key. */
export function checkEncryption(
  sse: EncryptionOptions = {},
  prefix: string,
  winners: Winners,
  settings: Settings,
): void {
  const type = encryptionType(sse);
  const where = (key: string): string => winners.get(key)?.origin.where ?? '';
  const misplaced = (start: string, wanted: string): void => {
    const misplacedKey = [...winners.keys()].find((key) => key.startsWith(`${prefix}sse.${start}`));
    if (misplacedKey !== undefined && type !== wanted)
      settings.problem(
        'Contradiction',
        misplacedKey,
        `${misplacedKey} (${where(misplacedKey)}) needs ${prefix}sse.type: ${wanted}.`,
      );
  };
  if (sse.kms !== undefined) misplaced('kms.', 'sse-kms');
  misplaced('customer-key', 'sse-c');
  const [key, file] = [`${prefix}sse.customer-key`, `${prefix}sse.customer-key-file`];
  if (winners.has(key) && winners.has(file))
    settings.problem(
      'Contradiction',
      key,
      `${key} (${where(key)}) and ${file} (${where(file)}) are both set. Remove one.`,
    );
  if (type === 'sse-c' && sse.customerKey === undefined && sse.customerKeyFile === undefined)
    settings.problem(
      'Incomplete',
      `${prefix}sse.type`,
      `${prefix}sse.type: sse-c (${where(`${prefix}sse.type`)}) needs ${key} or ${file}.`,
    );
}

/** Options that select AWS's hosts exclude an endpoint, and accelerated hosts exclude path style. */
export function checkHosts(s3: S3Options, winners: Winners, settings: Settings): void {
  const refuse = (key: string, other: string): void => {
    const where = winners.get(key)?.origin.where ?? '';
    settings.problem(
      'Contradiction',
      key,
      `${key} (${where}) chooses among AWS's hosts, which ${other} rules out. Remove one of the two.`,
    );
  };
  const accelerated = 's3.transfer-acceleration.enabled';
  if (s3.endpoint !== undefined) {
    if (s3.dualStack === true) refuse('s3.dual-stack.enabled', 's3.endpoint');
    if (s3.accelerate === true) refuse(accelerated, 's3.endpoint');
  } else if (s3.accelerate === true && s3.forcePathStyle === true) {
    refuse(accelerated, 's3.path-style-access');
  }
}
