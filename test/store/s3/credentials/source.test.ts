import { RefreshedCredentials } from '../../../../src/store/s3/credentials/source.js';
import type { S3Credentials } from '../../../../src/store/s3/index.js';
import { SimulatedClock } from '../../../../src/testing/index.js';

const minute = 60_000;

interface Question {
  readonly answer: (credentials: S3Credentials) => Promise<void>;
  readonly fail: (error: Error) => Promise<void>;
}

/** A source whose provider is answered by the test. */
function asked(): { clock: SimulatedClock; source: RefreshedCredentials; questions: Question[] } {
  const clock = new SimulatedClock(1_000_000);
  const questions: Question[] = [];
  const settled = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  const source = new RefreshedCredentials(
    () =>
      new Promise((resolve, reject) => {
        questions.push({
          answer: (credentials) => (resolve(credentials), settled()),
          fail: (error) => (reject(error), settled()),
        });
      }),
    clock,
  );
  return { clock, source, questions };
}

/** Session number `n`, which ends after so many milliseconds. */
function session(n: number, clock: SimulatedClock, life?: number): S3Credentials {
  return {
    accessKeyId: `KEY${n}`,
    secretAccessKey: `secret${n}`,
    sessionToken: `token${n}`,
    ...(life === undefined ? {} : { expiration: new Date(clock.now() + life) }),
  };
}

/** A source that holds session 1 of one hour. */
async function holding(life = 60 * minute): Promise<ReturnType<typeof asked> & { first: S3Credentials }> {
  const all = asked();
  const { clock, source, questions } = all;
  const first = session(1, clock, life);
  const got = source.get();
  await questions[0]!.answer(first);
  await got;
  return { ...all, first };
}

test('nothing is requested before the first request, and once for all that come together', async () => {
  const { clock, source, questions } = asked();
  expect(questions).toHaveLength(0);
  const all = [source.get(), source.get(), source.get()];
  expect(questions).toHaveLength(1);
  const first = session(1, clock, 60 * minute);
  await questions[0]!.answer(first);
  expect(await Promise.all(all)).toEqual([first, first, first]);
});

test('five minutes before the end new ones are requested once; the old ones are used meanwhile', async () => {
  const { clock, source, questions, first } = await holding();
  clock.advance(55 * minute - 1);
  expect(await source.get()).toBe(first);
  expect(questions).toHaveLength(1);
  clock.advance(1);
  expect(await Promise.all([source.get(), source.get()])).toEqual([first, first]);
  expect(questions).toHaveLength(2);
  const second = session(2, clock, 60 * minute);
  await questions[1]!.answer(second);
  expect(await source.get()).toBe(second);
  expect(questions).toHaveLength(2);
});

test('a short lifetime is renewed in its last quarter', async () => {
  const { clock, source, questions } = await holding(4 * minute);
  clock.advance(3 * minute - 1);
  await source.get();
  expect(questions).toHaveLength(1);
  clock.advance(1);
  await source.get();
  expect(questions).toHaveLength(2);
});

test('if that fails, the old ones are used until their end, with another try after a delay', async () => {
  const { clock, source, questions, first } = await holding();
  clock.advance(56 * minute);
  await source.get();
  await questions[1]!.fail(new Error('no'));
  expect(await source.get()).toBe(first);
  expect(questions).toHaveLength(2);
  clock.advance(10_000);
  expect(await source.get()).toBe(first);
  expect(questions).toHaveLength(3);
});

test('in the last moments requests wait for new ones, and get the old ones if there are none', async () => {
  const { clock, source, questions, first } = await holding();
  clock.advance(60 * minute - 5000);
  let got: S3Credentials | undefined;
  const waiting = source.get().then((it) => (got = it));
  await Promise.resolve();
  expect(got).toBeUndefined();
  await questions[1]!.fail(new Error('no'));
  await waiting;
  expect(got).toBe(first);
});

test('after their end a failure is that of the requests, and the next one tries again', async () => {
  const { clock, source, questions } = await holding();
  clock.advance(61 * minute);
  const failing = source.get();
  await Promise.all([
    expect(failing).rejects.toThrow('STS is away'),
    questions[1]!.fail(new Error('STS is away')),
  ]);
  clock.advance(10_000);
  const second = session(2, clock, 60 * minute);
  const next = source.get();
  await questions[2]!.answer(second);
  expect(await next).toBe(second);
});

test('credentials without an end are requested once', async () => {
  const { clock, source, questions } = asked();
  const got = source.get();
  await questions[0]!.answer(session(1, clock));
  await got;
  clock.advance(1e12);
  await source.get();
  expect(questions).toHaveLength(1);
});

test('a provider whose credentials have ended already is not called by every request', async () => {
  const { clock, source, questions } = await holding(-1000);
  for (let i = 0; i < 5; i++) await source.get();
  expect(questions).toHaveLength(1);
  clock.advance(1000);
  void source.get();
  expect(questions).toHaveLength(2);
});

describe('credentials refused by a server are renewed', () => {
  test('once, however many requests were refused', async () => {
    const { clock, source, questions, first } = await holding();
    const renewals = [source.renew(first), source.renew(first)];
    expect(questions).toHaveLength(2);
    const second = session(2, clock, 60 * minute);
    await questions[1]!.answer(second);
    expect(await Promise.all(renewals)).toEqual([true, true]);
    expect(await source.get()).toBe(second);
  });

  test('not at all if there are new ones since', async () => {
    const { clock, source, questions, first } = await holding();
    void source.renew(first);
    await questions[1]!.answer(session(2, clock, 60 * minute));
    expect(await source.renew(first)).toBe(true);
    expect(questions).toHaveLength(2);
  });

  test('in vain if the provider returns the same', async () => {
    const { source, questions, first } = await holding();
    const renewal = source.renew(first);
    await questions[1]!.answer({ ...first });
    expect(await renewal).toBe(false);
  });
});
