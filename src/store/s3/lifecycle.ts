import {
  GetBucketLifecycleConfigurationCommand,
  type LifecycleRule as SdkRule,
  type LifecycleRuleFilter,
} from '@aws-sdk/client-s3';
import type { LifecycleRule } from '../services.js';
import type { Place } from './place.js';

/** The lifecycle rules of a bucket; none if it has no configuration. */
export async function lifecycleRules({
  client,
  bucket,
  signal,
}: Omit<Place, 'options'>): Promise<readonly LifecycleRule[]> {
  try {
    const command = new GetBucketLifecycleConfigurationCommand({ Bucket: bucket });
    const { Rules = [] } = await client.send(command, { abortSignal: signal });
    return Rules.map(ruleOf);
  } catch (error) {
    if ((error as { name?: unknown }).name === 'NoSuchLifecycleConfiguration') return [];
    throw error;
  }
}

/** Storage classes whose objects cannot be read without a restore. */
const archives: ReadonlySet<string | undefined> = new Set(['GLACIER', 'DEEP_ARCHIVE']);

function ruleOf(rule: SdkRule): LifecycleRule {
  const { ID: id = '', Status, Filter, Expiration, Transitions = [], AbortIncompleteMultipartUpload } = rule;
  const archive = Transitions.find(({ StorageClass }) => archives.has(StorageClass));
  const archiveDate = archive?.Date?.getTime();
  const days = Expiration?.Days;
  const date = Expiration?.Date?.getTime();
  const abortDays = AbortIncompleteMultipartUpload?.DaysAfterInitiation;
  return {
    ...(id === '' ? {} : { id }),
    enabled: Status === 'Enabled',
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- old rules have their prefix there, and servers still send them
    prefix: Filter?.Prefix ?? Filter?.And?.Prefix ?? rule.Prefix ?? '',
    hasOtherFilter: Filter !== undefined && hasOtherFilter(Filter),
    ...(days === undefined ? {} : { expireAfterDays: days }),
    ...(date === undefined ? {} : { expireAtDate: date }),
    ...(archive !== undefined && archiveDate === undefined && { archiveAfterDays: archive.Days ?? 0 }),
    ...(archiveDate === undefined ? {} : { archiveAtDate: archiveDate }),
    ...(abortDays === undefined ? {} : { abortIncompleteAfterDays: abortDays }),
  };
}

function hasOtherFilter({ Tag, And, ...sizes }: LifecycleRuleFilter): boolean {
  const given = [sizes, And ?? {}].flatMap(({ ObjectSizeGreaterThan, ObjectSizeLessThan }) => [
    ObjectSizeGreaterThan,
    ObjectSizeLessThan,
  ]);
  return Tag !== undefined || (And?.Tags ?? []).length > 0 || given.some((size) => size !== undefined);
}
