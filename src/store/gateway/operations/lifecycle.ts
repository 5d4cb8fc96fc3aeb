import type { LifecycleRule } from '../../services.js';
import { isoTime, type Reply } from '../call.js';
import { GatewayError } from '../errors.js';
import { document, type Xml } from '../xml.js';

/** The rules as a document. Throws `NoSuchLifecycleConfiguration` without any. */
export function lifecycle(rules: readonly LifecycleRule[] = []): Reply {
  if (rules.length === 0)
    throw new GatewayError(404, 'NoSuchLifecycleConfiguration', 'The lifecycle configuration does not exist');
  return { status: 200, xml: document('LifecycleConfiguration', { Rule: rules.map(ruleOf) }) };
}

function ruleOf(rule: LifecycleRule): Xml {
  const { id, enabled, prefix, hasOtherFilter, expireAfterDays, expireAtDate } = rule;
  const { abortIncompleteAfterDays, archiveAfterDays, archiveAtDate } = rule;
  const archives = archiveAfterDays !== undefined || archiveAtDate !== undefined;
  const Expiration = {
    Days: expireAfterDays,
    Date: expireAtDate === undefined ? undefined : isoTime(expireAtDate),
  };
  const expires = expireAfterDays !== undefined || expireAtDate !== undefined;
  return {
    ID: id,
    Filter: hasOtherFilter
      ? { And: { Prefix: prefix, Tag: { Key: 'temporary', Value: 'yes' } } }
      : { Prefix: prefix },
    Status: enabled ? 'Enabled' : 'Disabled',
    Expiration: expires ? Expiration : undefined,
    Transition: archives
      ? {
          Days: archiveAfterDays,
          Date: archiveAtDate === undefined ? undefined : isoTime(archiveAtDate),
          StorageClass: 'GLACIER',
        }
      : undefined,
    AbortIncompleteMultipartUpload:
      abortIncompleteAfterDays === undefined ? undefined : { DaysAfterInitiation: abortIncompleteAfterDays },
  };
}
