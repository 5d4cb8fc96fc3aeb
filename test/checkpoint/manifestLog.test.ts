import { initialLog, type LogEffect, type LogEvent, type LogState } from '../../src/checkpoint/logState.js';
import type { Manifest } from '../../src/checkpoint/manifest.js';
import { step } from '../../src/checkpoint/manifestLog.js';

/** Feeds events and keeps the result of the last one. */
class Log {
  state: LogState = initialLog({ job: 'job', jobId: 'id', nonce: 'me', retained: 1 });
  effects: readonly LogEffect[] = [];

  on(...events: LogEvent[]): this {
    for (const event of events) ({ state: this.state, effects: this.effects } = step(this.state, event, 0));
    return this;
  }

  get types(): string[] {
    return this.effects.map(({ type }) => type);
  }

  get issued(): Manifest {
    return this.state.issued!.manifest;
  }
}

const listed = (...ns: number[]): LogEvent => ({
  type: 'listed',
  entries: ns.map((n) => ({ n, etag: `e${n}` })),
});
const created = (n: number): LogEvent => ({ type: 'created', etag: `e${n}` });
const write = (checkpoint: number): LogEvent => ({
  type: 'write',
  draft: { checkpoint, operators: {}, final: false },
});
const owned = (): Log => new Log().on({ type: 'start' }, listed(), created(1), listed(1));
const other = (log: Log): Manifest => ({ ...log.issued, putId: 'other-1' });

test('an empty log is claimed with entry 1, verified before anything else', () => {
  const log = new Log().on({ type: 'start' });
  expect(log.effects).toEqual([{ type: 'list', from: 1 }]);
  log.on(listed());
  expect(log.issued).toMatchObject({ n: 1, prev: null, kind: 'claim', epoch: 1, jobId: 'id' });
  expect(log.on(created(1)).types).toEqual(['list']);
  expect(log.on(listed(1)).types).toEqual(['claimed']);
});

test('the number is assigned at issue, independent of the checkpoint’s id', () => {
  expect(owned().on(write(9)).issued).toMatchObject({ n: 2, checkpoint: 9, prev: { n: 1, putId: 'me-1' } });
});

test('verification lists from n − 2', () => {
  const log = owned().on(
    write(1),
    created(2),
    listed(1, 2),
    write(2),
    created(3),
    listed(1, 2, 3),
    write(3),
    created(4),
  );
  expect(log.effects).toEqual([{ type: 'list', from: 2 }]);
});

test.each<[string, LogEvent]>([
  ['there is an entry above it', listed(1, 2, 3)],
  ['its predecessor is gone', listed(2)],
  ['it is gone itself', listed(1)],
])('an owner is fenced if %s', (_, listing) => {
  const log = owned().on(write(1), created(2), listing);
  expect(log.effects).toEqual([{ type: 'fenced', n: 2 }]);
  expect(log.on(write(2)).effects).toEqual([]);
});

test('a claim that fails verification starts again', () => {
  const log = new Log().on({ type: 'start' }, listed(), created(1), listed(1, 2));
  expect(log.effects).toEqual([{ type: 'list', from: 1 }]);
});

test('a predecessor with another ETag is identified by its put-id', () => {
  const suspicious: LogEvent = {
    type: 'listed',
    entries: [
      { n: 1, etag: 'kms' },
      { n: 2, etag: 'e2' },
    ],
  };
  const log = owned().on(write(1));
  const before = log.state.last!;
  expect(log.on(created(2), suspicious).effects).toEqual([{ type: 'get', n: 1 }]);
  expect(log.on({ type: 'got', entry: before }).types).toEqual(['durable']);
  const fenced = owned().on(write(1), created(2), suspicious);
  fenced.on({ type: 'got', entry: { manifest: { ...before.manifest, putId: 'other-1' }, etag: 'kms' } });
  expect(fenced.types).toEqual(['fenced']);
});

test('taken: mine is verified next, another’s fences', () => {
  const log = owned().on(write(1), { type: 'taken' });
  expect(log.effects).toEqual([{ type: 'get', n: 2 }]);
  const { state } = log;
  expect(log.on({ type: 'got', entry: { manifest: log.issued, etag: 'e2' } }).types).toEqual(['list']);
  log.state = state;
  expect(log.on({ type: 'got', entry: { manifest: other(log), etag: 'e2' } }).types).toEqual(['fenced']);
  log.state = state;
  expect(log.on({ type: 'got', entry: undefined }).types).toEqual(['fenced']);
});

test('in doubt: the identical PUT is repeated until answered; a refusal is definite only if no doubt came before it', () => {
  const refused: LogEvent = { type: 'refused', error: new Error('denied') };
  const log = owned().on(write(1));
  const manifest = log.issued;
  for (let doubts = 1; doubts < 50; doubts++) {
    expect(log.on({ type: 'in-doubt' }).effects).toEqual([{ type: 'put', manifest, doubts }]);
  }
  expect(log.on(refused).effects).toEqual([{ type: 'put', manifest, doubts: 50 }]);
  expect(owned().on(write(1), refused).types).toEqual(['failed']);
});

test('a store that completes without an answer ends the attempt, whatever the doubts before', () => {
  const unanswered: LogEvent = { type: 'unanswered', error: new Error('empty') };
  expect(owned().on(write(1), unanswered).types).toEqual(['failed']);
  expect(owned().on(write(1), { type: 'in-doubt' }, unanswered).types).toEqual(['failed']);
});

test('one PUT in flight: drafts that become ready wait, and the newest wins', () => {
  const log = owned().on(write(1), write(2));
  expect(log.effects).toEqual([]);
  expect(log.on(write(3)).effects).toEqual([{ type: 'subsumed', checkpoint: 2, by: 3 }]);
  log.on(created(2), listed(1, 2));
  expect(log.types).toEqual(['durable', 'put']);
  expect(log.issued).toMatchObject({ n: 3, checkpoint: 3 });
});

test('garbage is deleted only once its entry is verified, and declared until it is gone', () => {
  const log = owned().on({ type: 'named', objects: ['data/x'], checkpoint: 1 }, write(1));
  expect(log.issued.garbage).toEqual(['data/x']);
  expect(log.on(created(2)).types).toEqual(['list']);
  expect(log.on(listed(1, 2)).effects.at(-1)).toEqual({ type: 'delete', keys: ['data/x'] });
  log.on(write(2));
  expect(log.issued.garbage).toContain('data/x');
  log.on(created(3), { type: 'deleted', keys: ['data/x'], failed: [] }, listed(1, 2, 3), write(3));
  expect(log.issued.garbage).not.toContain('data/x');
});

test('a failed deletion is tried again by the next entry', () => {
  const log = owned().on(
    { type: 'named', objects: ['data/x'], checkpoint: 1 },
    write(1),
    created(2),
    listed(1, 2),
  );
  log.on({ type: 'deleted', keys: [], failed: ['data/x'] }, write(2), created(3), listed(1, 2, 3));
  expect(log.effects.at(-1)).toMatchObject({
    type: 'delete',
    keys: expect.arrayContaining(['data/x']) as unknown,
  });
});
