/**
 * Customers' keys (SSE-C): only a hash of an object's key is stored, and requests about the object must have the same key. As
 * on AWS, a missing key is a 400, and another key a 403.
 */
import { createHash } from 'node:crypto';
import type { Attributes } from '../bucket.js';
import { headerOf, type Call } from '../call.js';
import { GatewayError, invalidArgument } from '../errors.js';

const ofTarget = 'x-amz-server-side-encryption-customer';
const ofSource = 'x-amz-copy-source-server-side-encryption-customer';

/** The headers that are stored and returned for the key of a request. Throws `InvalidArgument`. */
export function customerKeyOf(call: Call, prefix = ofTarget): Readonly<Record<string, string>> | undefined {
  const [algorithm, key, hash] = ['algorithm', 'key', 'key-md5'].map((name) =>
    headerOf(call, `${prefix}-${name}`),
  );
  if (algorithm === undefined && key === undefined && hash === undefined) return undefined;
  if (algorithm !== 'AES256')
    throw invalidArgument('The encryption request you specified is not valid. Supported value: AES256.');
  const bytes = Buffer.from(key ?? '', 'base64');
  if (bytes.length !== 32) throw invalidArgument('The secret key was invalid for the specified algorithm.');
  if (createHash('md5').update(bytes).digest('base64') !== hash)
    throw invalidArgument('The calculated MD5 hash of the key did not match the hash that was provided.');
  return { [`${ofTarget}-algorithm`]: algorithm, [`${ofTarget}-key-md5`]: hash };
}

/** Checks that the request has the object's key, if any. Throws `InvalidRequest`, `AccessDenied`. */
export function checkKey(call: Call, attributes: Attributes, of: 'target' | 'source' = 'target'): void {
  const given = hashIn(customerKeyOf(call, of === 'target' ? ofTarget : ofSource));
  const needed = hashIn(attributes.encryption);
  if (given === needed) return;
  if (needed === undefined)
    throw invalidRequest('The encryption parameters are not applicable to this object.');
  if (given === undefined)
    throw invalidRequest(
      'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.',
    );
  throw new GatewayError(403, 'AccessDenied', 'Access Denied');
}

/** Checks that a part has the key of its upload. Throws `InvalidRequest`. */
export function checkPartKey(call: Call, attributes: Attributes): void {
  const given = hashIn(customerKeyOf(call));
  if (given === hashIn(attributes.encryption)) return;
  throw invalidRequest(
    given === undefined
      ? 'The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.'
      : 'The provided encryption parameters did not match the ones used originally.',
  );
}

function hashIn(headers: Readonly<Record<string, string>> | undefined): string | undefined {
  return headers?.[`${ofTarget}-key-md5`];
}

function invalidRequest(message: string): GatewayError {
  return new GatewayError(400, 'InvalidRequest', message);
}
