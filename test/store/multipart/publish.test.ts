/** The driver of `proof.ts`: its requests, their times, and the outcome. */
import { defer, of, throwError, type Observable } from 'rxjs';
import { StoreError, type StoreErrorCode } from '../../../src/store/errors.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import {
  completeUpload,
  marked,
  markOf,
  publish,
  type Published,
} from '../../../src/store/multipart/index.js';
import type { PutResult } from '../../../src/store/objectStore.js';
import { SimulatedClock } from '../../../src/testing/index.js';

const key = 'file';
const body = Buffer.from('twelve bytes');
const doubt = (code: StoreErrorCode = 'Unavailable') => throwError(() => new StoreError(code, 'No answer.'));

/** A store whose requests are recorded, with a clock. */
function world() {
  const clock = new SimulatedClock();
  const start = clock.now();
  const asked: string[] = [];
  const memory = createMemoryStore({ clock });
  const store = decorate(memory, ({ method }, run) => {
    asked.push(`${method} at ${clock.now() - start}`);
    return run;
  });
  const publishing = {
    store,
    key,
    identity: { mark: markOf('mine'), size: body.length },
    exclusive: false,
    clock,
    random: () => 0,
  };
  const put = (putId: string): void => void memory.put(key, body, marked({}, putId)).subscribe();
  /** The outcome, with all the time that it needs. */
  const outcome = (published: Observable<Published>): unknown => {
    let result: unknown = 'nothing';
    published.subscribe({
      next: ({ is }) => (result = is),
      error: (error: unknown) => (result = (error as StoreError).code),
    });
    while (clock.step());
    return result;
  };
  return { clock, start, asked, memory, publishing, put, outcome };
}

/** A request that is counted. */
function answers(answer: () => Observable<PutResult>): { request: Observable<PutResult>; made: number } {
  const script = {
    made: 0,
    request: defer(() => {
      script.made++;
      return answer();
    }),
  };
  return script;
}

test('an answer is the outcome, and no more requests are made', () => {
  const { publishing, asked, outcome } = world();
  expect(outcome(publish(publishing, of({ etag: 'e' })))).toBe('ours');
  expect(asked).toEqual([]);
});

test('a request whose answer was lost is found by its mark, and not repeated', () => {
  const { publishing, put, outcome } = world();
  const script = answers(() => {
    put('mine');
    return doubt();
  });
  expect(outcome(publish(publishing, script.request))).toBe('ours');
  expect(script.made).toBe(1);
});

test('one in doubt is repeated after growing delays, and fails in the end with its own error', () => {
  const { publishing, asked, outcome } = world();
  const times: number[] = [];
  const { request } = answers(() => {
    times.push(publishing.clock.now());
    return doubt('Throttled');
  });
  expect(outcome(publish(publishing, request))).toBe('Throttled');
  expect(times.slice(1).map((time, i) => time - times[i]!)).toEqual([500, 1000, 2000, 4000]);
  expect(asked.filter((each) => each.startsWith('head'))).toHaveLength(5);
});

test('a definite refusal is not verified', () => {
  const { publishing, asked, outcome } = world();
  expect(outcome(publish(publishing, doubt('PermissionDenied')))).toBe('PermissionDenied');
  expect(asked).toEqual([]);
});

test.each([
  [true, 'foreign'],
  [false, 'PreconditionFailed'],
])('if the key is exclusive (%s), an object of another writer is %s', (exclusive, expected) => {
  const { publishing, put, outcome } = world();
  put('theirs');
  expect(outcome(publish({ ...publishing, exclusive }, doubt('PreconditionFailed')))).toBe(expected);
});

describe('a Complete in doubt', () => {
  /** An upload with its one part, whose Complete does `effect` and is not answered. */
  function upload(effect: (complete: () => void, abort: () => void) => void) {
    const { memory, publishing, asked, outcome } = world();
    let uploadId = '';
    memory.createUpload(key, marked({}, 'mine')).subscribe((created) => ({ uploadId } = created));
    const etags: string[] = [];
    memory.uploadPart(key, uploadId, 1, body).subscribe(({ etag }) => etags.push(etag));
    const parts = [{ number: 1, etag: etags[0] ?? '', size: body.length }];
    let unanswered = true;
    const store = decorate(publishing.store, ({ method }, run) => {
      if (method !== 'completeUpload' || !unanswered) return run;
      unanswered = false;
      effect(
        () => void memory.completeUpload(key, uploadId, parts).subscribe(),
        () => void memory.abortUpload(key, uploadId).subscribe(),
      );
      return doubt();
    });
    const result = outcome(completeUpload({ ...publishing, store, uploadId }, parts));
    return { result, asked: asked.map((each) => each.split(' ')[0]) };
  }

  test('that took effect is not repeated', () => {
    const { result, asked } = upload((complete) => {
      complete();
    });
    expect([result, asked]).toEqual(['ours', ['head']]);
  });

  test('that did not take effect is repeated, as the upload still exists', () => {
    const { result, asked } = upload(() => undefined);
    expect([result, asked]).toEqual(['ours', ['head', 'listParts', 'completeUpload']]);
  });

  test('whose upload and object are gone is lost after one more check', () => {
    const { result, asked } = upload((_, abort) => {
      abort();
    });
    expect([result, asked]).toEqual(['lost', ['head', 'listParts', 'head']]);
  });
});

test('unsubscribing ends the delay', () => {
  const { publishing, clock } = world();
  const script = answers(() => doubt());
  const running = publish(publishing, script.request).subscribe();
  running.unsubscribe();
  expect(clock.step()).toBe(false);
  expect(script.made).toBe(1);
});
