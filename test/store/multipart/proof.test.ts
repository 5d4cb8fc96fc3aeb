import fc from 'fast-check';
import { StoreError, type StoreErrorCode } from '../../../src/store/errors.js';
import { compositeEtag, md5 } from '../../../src/store/helpers.js';
import type { UploadedPart } from '../../../src/store/objectStore.js';
import {
  isOutcome,
  nextStep,
  notOurs,
  type Answer,
  type Identity,
  type Rules,
  type Step,
} from '../../../src/store/multipart/proof.js';

const mark = { name: 'millrace-put-id', value: 'mine' };
const parts: UploadedPart[] = [1, 2].map((number) => ({
  number,
  etag: md5(Buffer.from(`${number}`)),
  size: 6,
}));
const kms: UploadedPart[] = parts.map((part) => ({ ...part, etag: `${part.number}b`.repeat(20) }));
const object = (found: { uid?: string; etag?: string; size?: number }) => ({
  etag: found.etag ?? 'opaque',
  size: found.size ?? 12,
  ...(found.uid === undefined ? {} : { metadata: { [mark.name]: found.uid } }),
});

describe('an object is ours', () => {
  const identity: Identity = { mark, size: 12 };
  it('by its mark and its length, whatever its ETag', () => {
    expect(notOurs(object({ uid: 'mine' }), identity)).toBeUndefined();
    expect(notOurs(object({ uid: 'mine' }), { ...identity, parts: kms })).toBeUndefined();
    expect(notOurs(object({ uid: 'mine', size: 11 }), identity)).toBe('it has 11 bytes, not 12');
  });

  it('by its composite ETag only if nobody else writes', () => {
    const etag = compositeEtag(parts);
    expect(notOurs(object({ etag }), { ...identity, parts })).toBeUndefined();
    expect(notOurs(object({ etag, size: 11 }), { ...identity, parts })).toBe('it has 11 bytes, not 12');
    expect(notOurs(object({ etag }), identity)).toBe('it has no mark of this job');
  });

  it('never by its length, or by ETags that are not MD5s', () => {
    expect(notOurs(object({}), { ...identity, parts })).toBeDefined();
    expect(notOurs(object({ etag: compositeEtag(kms) }), { ...identity, parts: kms })).toBeDefined();
    expect(notOurs(object({ etag: compositeEtag([]) }), { ...identity, parts: [] })).toBeDefined();
    expect(notOurs(object({ uid: 'other' }), { ...identity, parts })).toBe('it is marked other');
  });
});

/** The content of a store, and how often its answers are lost. */
interface World {
  upload: boolean;
  object: 'none' | 'ours' | 'foreign' | 'deleted';
}

const definite: readonly StoreErrorCode[] = ['PermissionDenied', 'InvalidPart', 'TooSmall', 'NotSupported'];
const doubtful: readonly StoreErrorCode[] = ['Unavailable', 'Conflict', 'Throttled'];

type Fault = 'none' | 'lost before' | 'lost after' | 'refused';

const ours = object({ uid: 'mine' });
const foreign = object({ uid: 'other' });

/** Runs the steps against a world whose requests fail as `faults` tells; what Complete did is in the world. */
function run(
  rules: Rules,
  world: World,
  faults: readonly Fault[],
  looks: readonly boolean[],
  meanwhile: readonly boolean[],
): { end: Step; published: number } {
  let step: Step = { is: 'ask', left: 4 };
  let published = 0;
  let turn = 0;
  const error = (code: StoreErrorCode, status = 500) => new StoreError(code, code, { status });
  const ask = (fault: Fault): Answer => {
    if (fault === 'refused') return { is: 'error', error: error('PermissionDenied', 403) };
    if (fault === 'lost before') return { is: 'error', error: error('Unavailable') };
    if (!world.upload) return { is: 'error', error: error('NotFound', 404) };
    world.upload = false;
    world.object = 'ours';
    published++;
    return fault === 'lost after'
      ? { is: 'error', error: error('Conflict', 409) }
      : { is: 'published', etag: 'opaque' };
  };
  for (; !isOutcome(step); turn++) {
    if (turn > 100) throw new Error('goes in circles');
    let answer: Answer;
    switch (step.is) {
      case 'ask':
        answer = ask(faults[turn % faults.length] ?? 'none');
        if (meanwhile[turn % meanwhile.length] === true && world.object === 'ours') world.object = 'deleted';
        break;
      case 'look':
        if (looks[turn % looks.length] === true) answer = { is: 'error', error: error('Unavailable') };
        else if (world.object === 'ours') answer = { is: 'object', object: ours };
        else answer = { is: 'object', object: world.object === 'foreign' ? foreign : undefined };
        break;
      case 'list':
        answer = { is: 'upload', upload: world.upload ? 'there' : 'gone' };
        break;
      default:
        answer = { is: 'waited' };
    }
    step = nextStep(rules, step, answer);
  }
  return { end: step, published };
}

describe('the outcome of a Complete', () => {
  const identity: Identity = { mark, size: 12, parts: kms };
  const fault = fc.constantFrom<Fault>('none', 'lost before', 'lost after', 'refused');
  const some = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 1, maxLength: 12 });

  it('is what the store contains, whatever answers are lost', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        some(fault),
        some(fc.boolean()),
        some(fc.boolean()),
        fc.boolean(),
        fc.constantFrom<World['object']>('none', 'foreign', 'ours'),
        (exclusive, faults, looks, meanwhile, upload, there) => {
          fc.pre(!(upload && there === 'ours'));
          const world: World = { upload, object: there };
          const { end, published } = run(
            { identity, exclusive, upload: true },
            world,
            faults,
            looks,
            meanwhile,
          );
          expect(published).toBeLessThanOrEqual(1);
          switch (end.is) {
            case 'ours':
              expect(world.upload).toBe(false);
              expect(published === 1 || there === 'ours').toBe(true);
              break;
            case 'lost':
              expect(world.upload).toBe(false);
              expect(world.object).not.toBe('ours');
              break;
            case 'foreign':
              expect([exclusive, world.object]).toEqual([true, 'foreign']);
              break;
            default:
              // Only if requests were refused, or failed, to the end.
              expect(faults.some((each) => each !== 'none') || looks.includes(true)).toBe(true);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  test.each([...doubtful, 'NotFound', 'AlreadyExists', 'PreconditionFailed'] as const)(
    'is not assumed after %s',
    (code) => {
      const rules: Rules = { identity, exclusive: true, upload: true };
      const error = new StoreError(code, code);
      const look = nextStep(rules, { is: 'ask', left: 4 }, { is: 'error', error });
      expect(look).toMatchObject({ is: 'look', error });
      expect(nextStep(rules, look, { is: 'object', object: ours })).toEqual({ is: 'ours', etag: 'opaque' });
      expect(nextStep(rules, look, { is: 'object', object: foreign })).toMatchObject({ is: 'foreign' });
      expect(nextStep(rules, look, { is: 'object', object: undefined }).is).toBe(
        code === 'NotFound' ? 'lost' : 'list',
      );
    },
  );

  test.each(definite)('is definite after %s', (code) => {
    const error = new StoreError(code, code, { status: 400 });
    const rules: Rules = { identity, exclusive: true, upload: true };
    expect(nextStep(rules, { is: 'ask', left: 4 }, { is: 'error', error })).toEqual({ is: 'failed', error });
  });

  it('is a success, too, after an answer of 200 that proves nothing', () => {
    const error = new StoreError('NotSupported', 'no XML', { status: 200 });
    const rules: Rules = { identity, exclusive: true, upload: true };
    expect(nextStep(rules, { is: 'ask', left: 4 }, { is: 'error', error }).is).toBe('look');
  });

  it('is that of the condition if others may write: their object is not an error', () => {
    const rules: Rules = { identity, exclusive: false, upload: true };
    const error = new StoreError('AlreadyExists', 'there');
    const look = nextStep(rules, { is: 'ask', left: 4 }, { is: 'error', error });
    expect(nextStep(rules, look, { is: 'object', object: foreign })).toEqual({ is: 'failed', error });
    expect(nextStep(rules, look, { is: 'object', object: ours }).is).toBe('ours');
    const denied = new StoreError('PermissionDenied', 'no HEAD');
    expect(nextStep(rules, look, { is: 'error', error: denied })).toEqual({ is: 'failed', error });
  });

  it('is checked again when the upload is over: it may have been published since the first check', () => {
    const rules: Rules = { identity, exclusive: true, upload: true };
    const error = new StoreError('Unavailable', 'down');
    const look = nextStep(rules, { is: 'list', left: 4, error }, { is: 'upload', upload: 'gone' });
    expect(look.is).toBe('look');
    expect(nextStep(rules, look, { is: 'object', object: ours }).is).toBe('ours');
    expect(nextStep(rules, look, { is: 'object', object: undefined })).toEqual({ is: 'lost', error });
  });

  it('is requested again while the upload exists, at most so many times', () => {
    const rules: Rules = { identity, exclusive: true, upload: true };
    const error = new StoreError('Unavailable', 'down');
    let asked = 0;
    let step: Step = { is: 'ask', left: 4 };
    while (!isOutcome(step)) {
      if (step.is === 'ask') asked++;
      if (asked > 100) throw new Error('asked forever');
      const answers: Record<'ask' | 'look' | 'list' | 'wait', Answer> = {
        ask: { is: 'error', error },
        look: { is: 'object', object: undefined },
        list: { is: 'upload', upload: 'there' },
        wait: { is: 'waited' },
      };
      step = nextStep(rules, step, answers[step.is]);
    }
    expect([asked, step]).toEqual([5, { is: 'failed', error }]);
  });
});
