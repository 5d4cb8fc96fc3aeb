/**
 * Determines the outcome of a request that publishes: a conditional put, or a Complete. Plain steps without I/O;
 * `publish.ts` makes the requests that they ask for.
 *
 *     ask ──answer──▶ ours
 *     ask ──error───▶ failed         a definite one that says nothing was published
 *                   ▶ look           all others: the object itself is asked (HEAD)
 *     look ─────────▶ ours           it is what we publish
 *                   ▶ foreign        another object has a key that only this job may write
 *                   ▶ failed         a condition was not met, by a write of another process
 *                   ▶ lost           the upload is gone, and there is no object of ours
 *                   ▶ list           there is none, and the outcome is in doubt: the upload is asked (ListParts)
 *     list ─────────▶ wait, then ask not yet: the upload is there, or ListParts is denied
 *                   ▶ look           it is gone: the request may have done its work after the first look
 *
 * No error is taken for an outcome: a Complete that answers 404 may be the echo of one that succeeded, 409, 412 and 500
 * may be as well.
 */
import { isInDoubt, isStoreError } from '../errors.js';
import { compositeEtag } from '../helpers.js';
import type { ObjectInfo, UploadedPart } from '../objectStore.js';

/** How an object of ours is recognized. */
export interface Identity {
  /** In its metadata. */
  readonly mark: { readonly name: string; readonly value: string };
  /** Bytes. `undefined` if the content may have been written in another form: then the mark alone decides. */
  readonly size: number | undefined;
  /**
   * Set if only the caller writes to the key: then equal bytes prove it as well. Elsewhere they do not: of two
   * writers of the same bytes only one has won.
   */
  readonly parts?: readonly UploadedPart[];
}

/** Why an object is not the one meant; `undefined` if it is. */
export function notOurs(
  { metadata, etag, size }: Pick<ObjectInfo, 'metadata' | 'etag' | 'size'>,
  { mark, size: expected, parts = [] }: Identity,
): string | undefined {
  const found = metadata?.[mark.name];
  const sameBytes = parts.length > 0 && parts.every(hasMd5) && etag === compositeEtag(parts);
  if (found !== mark.value && !sameBytes)
    return found === undefined ? 'it has no mark of this job' : `it is marked ${found}`;
  return expected === undefined || size === expected ? undefined : `it has ${size} bytes, not ${expected}`;
}

/** Under KMS a part's ETag is no MD5, and proves nothing about the object's. */
function hasMd5({ etag }: UploadedPart): boolean {
  return /^[0-9a-f]{32}$/i.test(etag);
}

export interface Rules {
  readonly identity: Identity;
  /** Only the caller writes to the key. Otherwise a foreign object there is legitimate. */
  readonly exclusive: boolean;
  /** Whether the request completes an upload, which can be asked whether it is over. */
  readonly upload: boolean;
}

export type Outcome =
  | { readonly is: 'ours'; readonly etag: string }
  | { readonly is: 'foreign'; readonly why: string; readonly error: unknown }
  | { readonly is: 'lost'; readonly error: unknown }
  | { readonly is: 'failed'; readonly error: unknown };

/** What to do next. `left`: how often the request may be repeated. `error`: its last answer. */
export type Step =
  | { readonly is: 'ask'; readonly left: number }
  | { readonly is: 'look'; readonly left: number; readonly error: unknown; readonly gone: boolean }
  | { readonly is: 'list' | 'wait'; readonly left: number; readonly error: unknown }
  | Outcome;

export type Answer =
  | { readonly is: 'published'; readonly etag: string }
  | { readonly is: 'error'; readonly error: unknown }
  | { readonly is: 'object'; readonly object: Pick<ObjectInfo, 'metadata' | 'etag' | 'size'> | undefined }
  | { readonly is: 'upload'; readonly upload: 'there' | 'gone' | 'unknown' }
  | { readonly is: 'waited' };

export function isOutcome(step: Step): step is Outcome {
  return step.is === 'ours' || step.is === 'foreign' || step.is === 'lost' || step.is === 'failed';
}

/** The step that follows a failed request. */
export function afterError(error: unknown, left: number): Step {
  const gone = isStoreError(error, 'NotFound');
  const open = gone || isUnmet(error) || isInDoubt(error);
  return open ? { is: 'look', left, error, gone } : { is: 'failed', error };
}

/** The step that follows an answer. Throws if it answers something else. */
export function nextStep(rules: Rules, step: Step, answer: Answer): Step {
  if (step.is === 'ask' && answer.is === 'published') return { is: 'ours', etag: answer.etag };
  if (step.is === 'ask' && answer.is === 'error') return afterError(answer.error, step.left);
  if (step.is === 'look' && answer.is === 'object') return afterLook(rules, step, answer.object);
  if (step.is === 'look' && answer.is === 'error') {
    // If the request itself was refused, the caller needs that error.
    return { is: 'failed', error: rules.exclusive || step.gone ? answer.error : step.error };
  }
  if (step.is === 'list' && answer.is === 'upload')
    return answer.upload === 'gone' ? { ...step, is: 'look', gone: true } : again(step);
  if (step.is === 'wait' && answer.is === 'waited') return { is: 'ask', left: step.left - 1 };
  throw new TypeError(`${answer.is} is not an answer to ${step.is}`);
}

function afterLook(
  rules: Rules,
  step: Extract<Step, { is: 'look' }>,
  object: Extract<Answer, { is: 'object' }>['object'],
): Step {
  const { left, error, gone } = step;
  if (object !== undefined) {
    const why = notOurs(object, rules.identity);
    if (why === undefined) return { is: 'ours', etag: object.etag };
    if (rules.exclusive) return { is: 'foreign', why, error };
  }
  if (gone) return { is: 'lost', error };
  if (isUnmet(error) && !rules.exclusive) return { is: 'failed', error };
  return rules.upload ? { is: 'list', left, error } : again(step);
}

function again({ left, error }: { readonly left: number; readonly error: unknown }): Step {
  return left > 0 ? { is: 'wait', left, error } : { is: 'failed', error };
}

/** A condition was not met; if the request was made before, by its own success perhaps. */
function isUnmet(error: unknown): boolean {
  return isStoreError(error, 'AlreadyExists', 'PreconditionFailed');
}
