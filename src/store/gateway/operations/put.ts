import { etagOf, headerOf, once, refuse, type Call, type Reply } from '../call.js';
import { notImplemented } from '../errors.js';
import { uploadOptionsFrom } from './metadata.js';
import { attributesFrom } from './attributes.js';

export async function putObject(call: Call): Promise<Reply> {
  const attributes = attributesFrom(call);
  const options = { ...createOnly(call), ...replaceOnly(call), ...uploadOptionsFrom(call) };
  const { etag } = await once(call.store.put(call.key, call.body, options, attributes), call.signal);
  return { status: 200, headers: { etag: `"${etag}"`, ...attributes.encryption } };
}

export async function deleteObject(call: Call): Promise<Reply> {
  refuse(call, 'if-');
  const [failure] = await once(call.store.delete([call.key]), call.signal);
  if (failure !== undefined) throw failure.error;
  return { status: 204 };
}

export function createOnly(call: Call): { readonly ifNoneMatch?: '*' } {
  const value = headerOf(call, 'if-none-match');
  if (value === undefined) return {};
  if (value !== '*') throw notImplemented('If-None-Match with an ETag on a write');
  return { ifNoneMatch: '*' };
}

export function replaceOnly(call: Call): { readonly ifMatch?: string } {
  const ifMatch = etagOf(headerOf(call, 'if-match'));
  if (ifMatch === '*') throw notImplemented('If-Match: * on a write');
  return ifMatch === undefined ? {} : { ifMatch };
}
